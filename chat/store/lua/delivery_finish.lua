#!lua flags=allow-oom
-- Record the result of an attempt at a delivery.
-- include: session events message_json outbox delivery_end
--
-- KEYS       see lib/session.lua; KEYS[22-23] see lib/outbox.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    number of the reply
-- ARGV[5]    nonce of the attempt
-- ARGV[6]    status: delivered, failed, disabled (by the receiver) or pending (to be retried)
-- ARGV[7]    result code: an HTTP status or a word
-- ARGV[8]    ms until the next attempt
-- ARGV[9]    the session's webhook URL to remove, JSON string, or null
--
-- Replies:
--   RECORDED
--   STALE      the claim has timed out, or the same call came before
read('schema', 'webhook_url')
local number = ARGV[4]
local d = read_delivery(number)
if not d or d.nonce ~= ARGV[5] then return { 'STALE' } end
d.status, d.code, d.nonce, d.at = ARGV[6], ARGV[7], '-', now
redis.call('HINCRBY', COUNTS, 'webhook_' .. (d.status == 'pending' and 'retried' or d.status), 1)
if d.status == 'pending' then
  d.due_at = now + ARGV[8]
  write_delivery(number, d)
  redis.call('ZADD', OUTBOX, d.due_at, ID .. ':' .. number)
else
  finish_delivery(number, d)
end

if ARGV[9] == 'null' then return { 'RECORDED' } end
if s.schema and s.webhook_url == ARGV[9] then
  set('webhook_url', 'null')
  append_event('session.updated', ',"changes":{"webhook_url":null}')
  publish()
elseif redis.call('HGET', DELIVERIES, 'url') == ARGV[9] then
  redis.call('HSET', DELIVERIES, 'url', 'null')
end
return { 'RECORDED' }
