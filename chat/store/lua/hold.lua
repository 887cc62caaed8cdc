#!lua flags=allow-oom
-- Give a sign of life for calls that hold slots of a gate.
--
-- KEYS[1] zset: slots    ARGV[1] lease of a slot, ms    ARGV[2...] callers
--
-- how many still hold theirs
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local held = 0
for i = 2, #ARGV do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i])
    held = held + 1
  end
end
return held
