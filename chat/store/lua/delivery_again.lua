#!lua flags=allow-oom
-- Have a delivery tried again from the beginning, at once, unless a try is on or about to be.
-- include: session access reply outbox ended
--
-- ARGV[4] SHA-256 of the caller's token, or ''
-- ARGV[5] number of the reply    ARGV[6] 1 when the deployment has a webhook of its own
--
-- AGAIN | ALREADY: it is being tried, or is about to be | NO_WEBHOOK: there is none any more
-- NOT_FOUND: there was none, or its message is gone | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting', 'webhook_url')
local no = refused(ARGV[4])
if no then return { no } end
local d = delivery_of(ARGV[5])
if not d or not event_of(ARGV[5], d) then return { 'NOT_FOUND' } end
if (s.webhook_url or 'null') == 'null' and ARGV[6] ~= '1' then return { 'NO_WEBHOOK' } end
if d.status == 'pending' and (d.nonce ~= '-' or d.free_at <= now) then return { 'ALREADY' } end
if d.status ~= 'pending' then
  for _, key in ipairs({ DELIVERED, FAILED }) do redis.call('ZREM', key, ending_of(ARGV[5], d)) end
end
d.status, d.attempts, d.free_at, d.nonce = 'pending', 0, 0, '-'
keep_delivery(ARGV[5], d)
redis.call('PEXPIRE', DELIVERIES, MARGIN)
redis.call('ZADD', OUTBOX, now, ID .. ':' .. ARGV[5])
return { 'AGAIN' }
