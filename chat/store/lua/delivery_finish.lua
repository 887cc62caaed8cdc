#!lua flags=allow-oom
-- Note how a try at a delivery went.
-- include: session event reply outbox ended
--
-- ARGV[4] number of the reply    ARGV[5] nonce of the try
-- ARGV[6] status: delivered, failed, disabled (the receiver wants no more), or pending (try again)
-- ARGV[7] what the try met with: an HTTP status or a word    ARGV[8] ms until the next try
-- ARGV[9] the session's webhook that wants no more, JSON string, or null
--
-- NOTED | STALE: the try was too slow, or the same call came before
read('v', 'webhook_url')
local number = ARGV[4]
local d = delivery_of(number)
if not d or d.nonce ~= ARGV[5] then return { 'STALE' } end
d.status, d.code, d.nonce, d.at = ARGV[6], ARGV[7], '-', now
redis.call('HINCRBY', COUNTS, 'webhook_' .. (d.status == 'pending' and 'retried' or d.status), 1)
if d.status == 'pending' then
  d.free_at = now + ARGV[8]
  keep_delivery(number, d)
  redis.call('ZADD', OUTBOX, d.free_at, ID .. ':' .. number)
else
  end_delivery(number, d)
end

if ARGV[9] == 'null' then return { 'NOTED' } end
if s.v and s.webhook_url == ARGV[9] then
  set('webhook_url', 'null')
  log('session.updated', ',"changes":{"webhook_url":null}')
  tell()
elseif redis.call('HGET', DELIVERIES, 'url') == ARGV[9] then
  redis.call('HSET', DELIVERIES, 'url', 'null')
end
return { 'NOTED' }
