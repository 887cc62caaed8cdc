#!lua flags=allow-oom
-- Schedule a new series of attempts at a delivery, unless an attempt is due or in progress.
-- include: session authorize message_json outbox delivery_end
--
-- KEYS       see lib/session.lua; KEYS[22-23] see lib/outbox.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    number of the reply
-- ARGV[6]    1 if the deployment has a webhook
--
-- Replies:
--   SCHEDULED
--   ALREADY             an attempt is due or in progress
--   NO_WEBHOOK          neither the session nor the deployment has a webhook
--   MESSAGE_NOT_FOUND   no delivery exists, or its message was deleted
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'webhook_url')
local err = authorize(ARGV[4])
if err then return { err } end
local d = read_delivery(ARGV[5])
if not d or not delivery_event(ARGV[5], d) then return { 'MESSAGE_NOT_FOUND' } end
if (s.webhook_url or 'null') == 'null' and ARGV[6] ~= '1' then return { 'NO_WEBHOOK' } end
if d.status == 'pending' and (d.nonce ~= '-' or d.due_at <= now) then return { 'ALREADY' } end
if d.status ~= 'pending' then
  for _, key in ipairs({ DELIVERED, FAILED }) do
    redis.call('ZREM', key, finished_record(ARGV[5], d))
  end
end
d.status, d.attempts, d.due_at, d.nonce = 'pending', 0, 0, '-'
write_delivery(ARGV[5], d)
redis.call('PEXPIRE', DELIVERIES, KEY_TTL_MARGIN)
redis.call('ZADD', OUTBOX, now, ID .. ':' .. ARGV[5])
return { 'SCHEDULED' }
