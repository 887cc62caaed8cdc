#!lua flags=allow-oom
-- Record the time, unless the clock has stepped since it was recorded last.
-- include: clock_record
--
-- KEYS       see lib/clock_record.lua
-- ARGV[1]    ms; smaller steps back are ignored
-- ARGV[2]    ms; smaller steps forward are ignored
-- ARGV[3]    ms that the clock does not exceed unless it has stepped forward; 0 if unknown
-- ARGV[4]    ms for which a step is left to the caller
--
-- Replies: (all times are ms)
--   RECORDED now
--   AHEAD now clock            now is after ARGV[3], and not recorded
--   STEPPED now step since     the caller must correct stored times; see lib/shift.lua
--   CORRECTING now             another worker corrects them
local min_back, min_forward, latest, lease = tonumber(ARGV[1]), tonumber(ARGV[2]),
  tonumber(ARGV[3]), tonumber(ARGV[4])
local clock, step, since, leased_until =
  unpack(redis.call('HMGET', RECORD, 'clock', 'step', 'step_since', 'step_lease_until'))
clock, leased_until = tonumber(clock or now), tonumber(leased_until or 0)
if step then
  if leased_until > now and leased_until <= now + lease then return { 'CORRECTING', now } end
  return lease_step(tonumber(step), tonumber(since), lease)
end
if clock - now > min_back then return begin_step(now - clock, now, lease) end
if now - clock > min_forward and now > latest then return { 'AHEAD', now, clock } end
redis.call('HSET', RECORD, 'clock', now)
return { 'RECORDED', now }
