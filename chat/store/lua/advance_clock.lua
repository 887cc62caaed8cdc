#!lua flags=allow-oom
-- Record the time, unless the clock has stepped back since it was recorded last.
-- include: clock
--
-- KEYS[1]    hash: facts that all processes share
--              clock   ms
-- ARGV[1]    ms; smaller steps are ignored
--
-- Replies: 0, or ms by which the clock has stepped back
local step = tonumber(redis.call('HGET', KEYS[1], 'clock') or 0) - now
if step > tonumber(ARGV[1]) then return step end
redis.call('HSET', KEYS[1], 'clock', now)
return 0
