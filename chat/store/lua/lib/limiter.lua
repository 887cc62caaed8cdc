-- Rate limiter, concurrency limiter and circuit breaker of a model. Callers are session ids.
-- include: clock
--
-- KEYS[1]    hash: the limiter
--              blocked_until, blocked_reason   ms; calls are blocked
--              blocked_by                      the caller that received the Retry-After
--              next_probe_at, probing_caller   ms; the call that checks whether the model still
--                                              rejects others than blocked_by
--              failures                        members of KEYS[4]
--              half_open                       1: one probe decides whether the circuit closes
--              probe_until, probe_caller       ms; the probe in progress
--              tat, token_tat                  theoretical arrival times, see lib/rate.lua
--              token_cost                      tokens of the last call
-- KEYS[2]    zset: caller -> ms at which the lease of its slot ends
-- KEYS[3]    zset: waiting caller -> ms at which it retries
-- KEYS[4]    set: callers whose calls have failed since the last success
local LIMITER, SLOTS, WAITERS, FAILED_CALLERS = unpack(KEYS)

-- Count the valid slots. Expired ones stay in the set until refresh_slots removes them.
local function slots_in_use()
  return redis.call('ZCOUNT', SLOTS, '(' .. now, '+inf')
end

-- Return the waiters that may call now, the longest waiting first: at most `limit`, at most as many
-- as there are free slots, one if the circuit is half-open, none while calls are blocked.
local function next_waiters(max_calls, limit)
  local blocked_until, half_open =
    unpack(redis.call('HMGET', LIMITER, 'blocked_until', 'half_open'))
  if tonumber(blocked_until or 0) > now then return {} end
  local free = half_open and 1 or limit
  if max_calls > 0 then free = math.min(free, max_calls - slots_in_use()) end
  if free <= 0 then return {} end
  return redis.call('ZRANGE', WAITERS, 0, free - 1)
end

-- Close the circuit after a success: forget all failures.
local function close_circuit()
  redis.call('HDEL', LIMITER, 'failures', 'half_open', 'probe_until', 'probe_caller')
  redis.call('UNLINK', FAILED_CALLERS)
end

-- Allow calls that a Retry-After or an open circuit has blocked.
local function unblock()
  redis.call('HDEL', LIMITER, 'blocked_until', 'blocked_reason', 'blocked_by', 'next_probe_at',
    'probing_caller')
end

-- Record that a call has succeeded. The call that probed a blocked model allows the others.
local function record_success(caller)
  if redis.call('HGET', LIMITER, 'probing_caller') == caller then unblock() end
  close_circuit()
end
