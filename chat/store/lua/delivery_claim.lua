#!lua flags=allow-oom
-- Give a worker the right to attempt a delivery, and the event to send.
-- include: session message_json outbox delivery_end
--
-- KEYS       see lib/session.lua; KEYS[22-23] see lib/outbox.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    number of the reply
-- ARGV[5]    nonce of this attempt
-- ARGV[6]    ms for which the claim is valid
-- ARGV[7]    1 if the deployment has a webhook
-- ARGV[8]    the webhook for which the caller has a free slot: JSON string, or null
--
-- Replies:
--   CLAIMED attempt now url event request_id
--              now: ms; url: JSON string, or null for the deployment's webhook
--   FINISHED   nothing to deliver
--   WAITING    not due yet, or another attempt is in progress
--   CHANGED    the session has another webhook
read('schema', 'webhook_url')
local number = ARGV[4]
local d = read_delivery(number)
if not d or d.status ~= 'pending' then
  redis.call('ZREM', OUTBOX, ID .. ':' .. number)
  return { 'FINISHED' }
end
local is_repeat = d.nonce == ARGV[5]
if d.due_at > now and not is_repeat then
  redis.call('ZADD', OUTBOX, d.due_at, ID .. ':' .. number)
  return { 'WAITING' }
end

local url = s.webhook_url or redis.call('HGET', DELIVERIES, 'url') or 'null'
local event = delivery_event(number, d)
if not event or (url == 'null' and ARGV[7] ~= '1') then
  d.status, d.nonce, d.at = 'disabled', '-', now
  finish_delivery(number, d)
  return { 'FINISHED' }
end
if url ~= ARGV[8] then return { 'CHANGED' } end
if not is_repeat then d.attempts = d.attempts + 1 end
d.due_at, d.at, d.nonce = now + ARGV[6], now, ARGV[5]
write_delivery(number, d)
redis.call('ZADD', OUTBOX, d.due_at, ID .. ':' .. number)
return { 'CLAIMED', d.attempts, now, url, event,
  redis.call('HGET', DELIVERIES, number .. ':request_id') or '' }
