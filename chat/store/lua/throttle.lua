#!lua
-- Count a call for several limits, each a steady rate with a burst, or for none if one rejects it.
-- include: rate
--
-- KEYS       strings: theoretical arrival times, see lib/rate.lua; each expires once it has passed
-- ARGV       for each key: interval between calls at the steady rate, ms; burst, calls
--
-- Replies: 0 if the call is allowed, else ms until all limits allow it
local tats, wait_ms = {}, 0
for i, key in ipairs(KEYS) do
  local tat, wait = check_rate(redis.call('GET', key), ARGV[2 * i - 1], ARGV[2 * i], 1)
  tats[i], wait_ms = tat, math.max(wait_ms, wait)
end
if wait_ms > 0 then return wait_ms end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, tats[i], 'PX', math.max(1, math.ceil(tats[i] - now)))
end
return 0
