#!lua flags=allow-oom
-- Forget a step of the clock, because stored times are corrected.
-- include: clock_record
--
-- KEYS       see lib/clock_record.lua
-- ARGV[1]    since, as advance_clock returned it
-- ARGV[2]    ms that the clock does not exceed unless it has stepped again
--
-- Replies:
--   ENDED
--   STALE   another worker has ended it before
local clock, since = unpack(redis.call('HMGET', RECORD, 'clock', 'step_since'))
if since ~= ARGV[1] then return { 'STALE' } end
redis.call('HDEL', RECORD, 'step', 'step_since', 'step_lease_until')
-- If it has stepped again, the next advance_clock compares with the recorded time.
if now > tonumber(clock) and now <= tonumber(ARGV[2]) then
  redis.call('HSET', RECORD, 'clock', now)
end
return { 'ENDED' }
