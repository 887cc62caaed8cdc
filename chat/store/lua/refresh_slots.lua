#!lua flags=allow-oom
-- Renew the slots of running calls and the half-open probe; free the slots of dead workers.
-- include: limiter
--
-- KEYS       see lib/limiter.lua
-- ARGV[1]    lease of a slot and of a probe, ms
-- ARGV[2]    TTL of idle keys, ms
-- ARGV[3]    max concurrent calls; 0 for no limit
-- ARGV[4]    max waiters to return
-- ARGV[5...] session ids of the calls
--
-- Replies: session_id...   the waiters that may call now; none unless a slot was freed
local probe_caller = redis.call('HGET', LIMITER, 'probe_caller')
local max_calls = tonumber(ARGV[3])
for i = 5, #ARGV do
  local lease_until = tonumber(redis.call('ZSCORE', SLOTS, ARGV[i]) or '')
  -- A late call keeps its slot unless another call has acquired it.
  if lease_until and (lease_until > now or slots_in_use() < max_calls) then
    redis.call('ZADD', SLOTS, now + ARGV[1], ARGV[i])
  end
  if ARGV[i] == probe_caller then redis.call('HSET', LIMITER, 'probe_until', now + ARGV[1]) end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2], 'GT') end
if redis.call('ZREMRANGEBYSCORE', SLOTS, '-inf', now) == 0 then return {} end
return next_waiters(max_calls, tonumber(ARGV[4]))
