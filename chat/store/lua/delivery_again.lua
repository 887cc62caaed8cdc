#!lua flags=allow-oom
-- Have a delivery tried again from the beginning, at once, however it stands.
-- include: session access reply outbox
--
-- ARGV[4] SHA-256 of the caller's token, or ''
-- ARGV[5] number of the reply
--
-- AGAIN | NOT_FOUND: there was none, or its message is gone | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting')
local no = refused(ARGV[4])
if no then return { no } end
local d = delivery_of(ARGV[5])
if not d or not event_of(ARGV[5], d) then return { 'NOT_FOUND' } end
d.status, d.attempts, d.free_at, d.nonce = 'pending', 0, 0, '-'
keep_delivery(ARGV[5], d)
redis.call('PEXPIRE', DELIVERIES, MARGIN)
redis.call('ZADD', OUTBOX, now, ID .. ':' .. ARGV[5])
return { 'AGAIN' }
