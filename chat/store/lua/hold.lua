#!lua flags=allow-oom
-- Give a sign of life for calls that hold slots of a gate, or that probe; take the slots of those
-- whose worker has died.
-- include: gate
--
-- ARGV[1] lease of a slot and of a probe, ms
-- ARGV[2] ms after which the gate's keys are forgotten when nothing moves
-- ARGV[3] most calls at once, or 0    ARGV[4] most waiters to name    ARGV[5...] callers
--
-- the waiters whose turn it is now...; none unless a slot was taken from somebody
local prober, most = redis.call('HGET', GATE, 'prober'), tonumber(ARGV[3])
for i = 5, #ARGV do
  local ends = tonumber(redis.call('ZSCORE', SLOTS, ARGV[i]) or '')
  -- Late, it keeps its slot unless that has been given on.
  if ends and (ends > now or taken() < most) then
    redis.call('ZADD', SLOTS, now + ARGV[1], ARGV[i])
  end
  if ARGV[i] == prober then redis.call('HSET', GATE, 'probe', now + ARGV[1]) end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2], 'GT') end
if redis.call('ZREMRANGEBYSCORE', SLOTS, '-inf', now) == 0 then return {} end
return next_in_line(most, tonumber(ARGV[4]))
