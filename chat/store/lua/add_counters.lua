#!lua flags=allow-oom
-- Add what a process has counted. To repeat it counts twice: these are metrics only.
-- include: last_hour
--
-- KEYS[1]    hash: COUNTERS, see lib/counters.lua
-- KEYS[2]    hash: LAST_HOUR
-- ARGV       field, increment, field, increment, ...   those of LAST_HOUR begin with a digit
--
-- Replies:
--   ADDED
local COUNTERS, LAST_HOUR = unpack(KEYS)
for i = 1, #ARGV, 2 do
  if string.find(ARGV[i], '^%d') then
    add_last_hour(LAST_HOUR, ARGV[i], ARGV[i + 1])
  else
    redis.call('HINCRBY', COUNTERS, ARGV[i], ARGV[i + 1])
  end
end
return { 'ADDED' }
