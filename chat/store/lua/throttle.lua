#!lua
-- Limit the rate of a caller by GCRA: a steady rate with a burst.
--
-- KEYS[1]    string: theoretical arrival time, ms; expires once it has passed
-- ARGV[1]    interval between calls at the steady rate, ms
-- ARGV[2]    burst, calls
--
-- Replies: 0 if the call is allowed, else ms until the next call is
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local early = tat - now - (ARGV[2] - 1) * ARGV[1]
if early > 0 then return math.ceil(early) end
redis.call('SET', KEYS[1], tat + ARGV[1], 'PX', math.ceil(tat + ARGV[1] - now))
return 0
