#!lua flags=allow-oom
-- Give a sign of life for calls that hold slots of a gate, or that probe.
-- include: gate
--
-- ARGV[1] lease of a slot and of a probe, ms
-- ARGV[2] ms after which the gate's keys are forgotten when nothing moves    ARGV[3...] callers
--
-- how many still hold theirs
local prober, held = redis.call('HGET', GATE, 'prober'), 0
for i = 3, #ARGV do
  if redis.call('ZSCORE', SLOTS, ARGV[i]) then
    redis.call('ZADD', SLOTS, now + ARGV[1], ARGV[i])
    held = held + 1
  end
  if ARGV[i] == prober then redis.call('HSET', GATE, 'probe', now + ARGV[1]) end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2], 'GT') end
return held
