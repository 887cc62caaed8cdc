#!lua flags=allow-oom
-- Release the slot of a call to a model, and record the result of the call.
-- include: limiter
--
-- KEYS       see lib/limiter.lua
-- ARGV[1]    session id of the call
-- ARGV[2]    result: ok, failed, retry_after (the vendor blocks calls) or neutral
-- ARGV[3]    ms for which calls are blocked after retry_after
-- ARGV[4]    reason of that: rate_limited, model_loading or queue
-- ARGV[5]    sessions whose calls must fail, without a success, to open the circuit
-- ARGV[6]    ms until an open circuit becomes half-open
-- ARGV[7]    max concurrent calls; 0 for no limit
-- ARGV[8]    max waiters to return
-- ARGV[9]    TTL of idle keys, ms
-- ARGV[10]   ms between the calls that probe a model which sent a Retry-After
--
-- Replies: session_id...   the waiters that may call now
local CALLER, RESULT, TTL = ARGV[1], ARGV[2], ARGV[9]
redis.call('ZREM', SLOTS, CALLER)
local blocked_until, half_open, probe_caller =
  unpack(redis.call('HMGET', LIMITER, 'blocked_until', 'half_open', 'probe_caller'))
if probe_caller == CALLER then redis.call('HDEL', LIMITER, 'probe_until', 'probe_caller') end

local function block(ms, reason)
  local until_ms = math.max(tonumber(blocked_until or 0), now + ms)
  redis.call('HSET', LIMITER, 'blocked_until', until_ms, 'blocked_reason', reason)
  redis.call('PEXPIRE', LIMITER, until_ms - now + TTL)
end

if RESULT == 'ok' then
  record_success(CALLER)
elseif RESULT == 'retry_after' then
  block(tonumber(ARGV[3]), ARGV[4])
  redis.call('HSET', LIMITER, 'blocked_by', CALLER, 'next_probe_at', now + ARGV[10])
elseif RESULT == 'failed' then
  redis.call('SADD', FAILED_CALLERS, CALLER)
  local failures = redis.call('SCARD', FAILED_CALLERS)
  redis.call('HSET', LIMITER, 'failures', failures)
  for _, key in ipairs({ LIMITER, FAILED_CALLERS }) do redis.call('PEXPIRE', key, TTL) end
  if half_open or failures >= tonumber(ARGV[5]) then
    redis.call('HSET', LIMITER, 'half_open', 1)
    block(tonumber(ARGV[6]), 'queue')
  end
end
return next_waiters(tonumber(ARGV[7]), tonumber(ARGV[8]))
