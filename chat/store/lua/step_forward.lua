#!lua flags=allow-oom
-- Record a step forward, unless another worker has recorded a time or a step since.
-- include: clock_record
--
-- KEYS       see lib/clock_record.lua
-- ARGV[1]    clock, as advance_clock returned it
-- ARGV[2]    ms by which the clock has stepped
-- ARGV[3]    ms; earlier times were stored before the step
-- ARGV[4]    ms for which the step is left to the caller
--
-- Replies: see advance_clock
local clock, step = unpack(redis.call('HMGET', RECORD, 'clock', 'step'))
if step or tonumber(clock) ~= tonumber(ARGV[1]) then return { 'CORRECTING', now } end
return begin_step(tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
