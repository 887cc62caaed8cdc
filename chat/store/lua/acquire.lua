#!lua flags=allow-oom
-- Acquire a slot for a call to a model, or return when to try again.
-- include: limiter rate
--
-- KEYS       see lib/limiter.lua
-- ARGV[1]    session id of the call
-- ARGV[2]    lease of a slot, ms
-- ARGV[3]    max concurrent calls; 0 for no limit
-- ARGV[4]    interval between calls at the steady rate, ms; 0 for no limit
-- ARGV[5]    burst, calls
-- ARGV[6]    interval per token at the steady rate, ms; 0 for no limit
-- ARGV[7]    burst, tokens
-- ARGV[8]    tokens of this call, estimated
-- ARGV[9]    ms without a retry after which a waiter loses its place
-- ARGV[10]   TTL of idle keys, ms
-- ARGV[11]   ms after which a call that waits for a slot tries again
-- ARGV[12]   ms until the call's turn expires
-- ARGV[13]   1 if the call waits only for the rate limit, because the model has a fallback
-- ARGV[14]   ms between the calls that probe a model which sent a Retry-After
--
-- Replies:
--   ACQUIRED
--   WAIT ms reason     reason: rate_limited, model_loading or queue
local CALLER = ARGV[1]
local max_calls, interval, per_token, tokens = tonumber(ARGV[3]), tonumber(ARGV[4]),
  tonumber(ARGV[6]), tonumber(ARGV[8])
local blocked_until, blocked_reason, half_open, probe_until, probe_caller, tat, token_tat,
  last_tokens = unpack(redis.call('HMGET', LIMITER, 'blocked_until', 'blocked_reason', 'half_open',
    'probe_until', 'probe_caller', 'tat', 'token_tat', 'token_cost'))
local blocked_ms, probe_ms = (blocked_until or 0) - now, (probe_until or 0) - now

redis.call('ZREMRANGEBYSCORE', WAITERS, '-inf', now - ARGV[9])
local retry_at = redis.call('ZSCORE', WAITERS, CALLER)
local ahead = retry_at and redis.call('ZCOUNT', WAITERS, '-inf', '(' .. retry_at) or
  redis.call('ZCARD', WAITERS)

local function wait(ms, reason)
  ms = math.ceil(math.max(ms, 1))
  local will_retry = ms < tonumber(ARGV[12]) and (ARGV[13] == '0' or reason == 'rate_limited')
  if will_retry then redis.call('ZADD', WAITERS, now + ms, CALLER)
  else redis.call('ZREM', WAITERS, CALLER) end
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[10] + ms) end
  return { 'WAIT', ms, reason }
end

-- Return the ms until this call may check whether a blocked model still rejects calls. The caller
-- that received the Retry-After must wait for its end, and so must all while the circuit is open.
local function ms_until_probe()
  local blocked_by, next_probe_at =
    unpack(redis.call('HMGET', LIMITER, 'blocked_by', 'next_probe_at'))
  if half_open or not blocked_by or blocked_by == CALLER then return blocked_ms end
  return math.min(blocked_ms, math.max(0, next_probe_at - now))
end

local is_blocked = blocked_ms > 0
if is_blocked then
  local ms = ms_until_probe()
  if ms > 0 then return wait(ms, blocked_reason or 'queue') end
end
if half_open and probe_ms > 0 and probe_caller ~= CALLER then return wait(probe_ms, 'queue') end
if max_calls > 0 and slots_in_use() + ahead >= max_calls and
    tonumber(redis.call('ZSCORE', SLOTS, CALLER) or 0) <= now then
  return wait(ARGV[11], 'queue')
end
local rate_ms, token_ms
tat, rate_ms = check_rate(tat, interval, ARGV[5], 1)
if rate_ms > 0 then return wait(rate_ms + ahead * interval, 'rate_limited') end
token_tat, token_ms = check_rate(token_tat, per_token, ARGV[7], tokens, tonumber(last_tokens or 0))
if token_ms > 0 then return wait(token_ms, 'rate_limited') end

if is_blocked then
  redis.call('HSET', LIMITER, 'next_probe_at', now + ARGV[14], 'probing_caller', CALLER)
elseif blocked_until then
  unblock()
end
redis.call('HSET', LIMITER, 'tat', tat, 'token_tat', token_tat, 'token_cost', tokens)
if half_open then
  redis.call('HSET', LIMITER, 'probe_until', now + ARGV[2], 'probe_caller', CALLER)
end
if max_calls > 0 then redis.call('ZADD', SLOTS, now + ARGV[2], CALLER) end
redis.call('ZREM', WAITERS, CALLER)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[10]) end
return { 'ACQUIRED' }
