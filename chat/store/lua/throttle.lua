#!lua
-- Let calls pass at a steady rate with a burst, by GCRA; one key per caller.
--
-- KEYS[1] string: theoretical arrival time, ms; lives no longer than it matters
-- ARGV[1] ms between two calls at the steady rate    ARGV[2] burst, calls
--
-- 0 when the call passes, else ms until the next one would
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local early = tat - now - (ARGV[2] - 1) * ARGV[1]
if early > 0 then return math.ceil(early) end
redis.call('SET', KEYS[1], tat + ARGV[1], 'PX', math.ceil(tat + ARGV[1] - now))
return 0
