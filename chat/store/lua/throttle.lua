#!lua
-- Limit the rate of a caller: a steady rate with a burst.
-- include: rate
--
-- KEYS[1]    string: theoretical arrival time, see lib/rate.lua; expires once it has passed
-- ARGV[1]    interval between calls at the steady rate, ms
-- ARGV[2]    burst, calls
--
-- Replies: 0 if the call is allowed, else ms until the next call is
local tat, wait_ms = check_rate(redis.call('GET', KEYS[1]), ARGV[1], ARGV[2], 1)
if wait_ms > 0 then return wait_ms end
redis.call('SET', KEYS[1], tat, 'PX', math.max(1, math.ceil(tat - now)))
return 0
