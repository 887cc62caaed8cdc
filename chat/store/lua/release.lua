#!lua flags=allow-oom
-- Release the slot of a call to a model, and record the result of the call.
-- include: limiter/calls
--
-- KEYS       see lib/limiter/keys.lua
-- ARGV[1]    see lib/limiter/keys.lua
-- ARGV[2]    caller
-- ARGV[3]    result: ok, failed, retry_after (the vendor blocks calls) or neutral
-- ARGV[4]    ms for which the vendor blocks calls after retry_after
-- ARGV[5]    reason of that: rate_limited, model_loading or queue
-- ARGV[6]    ms since the call began
-- ARGV[7]    ms since a call of this worker to the model succeeded, or -1
-- ARGV[8...] nodes of other parties that called the model from this worker lately
--
-- Replies: session_id...   the waiters that may call now
local CALLER, RESULT = ARGV[2], ARGV[3]
local nodes, session = nodes_of(CALLER)
local lease_until = tonumber(redis.call('ZSCORE', SLOTS, CALLER) or 0)
if lease_until > 0 then
  redis.call('ZREM', SLOTS, CALLER)
  charge(nodes, math.max(0, now - lease_until + limits.lease) - QUANTUM_MS)
end

if RESULT == 'failed' or RESULT == 'retry_after' then
  for i = 8, #ARGV do record_active('parties', ARGV[i]) end
  record_active('parties', nodes[2])
  redis.call('HSET', LIMITER, 'active', cjson.encode(active))
end
count_trial(nodes[2], session, RESULT)
if RESULT == 'ok' then
  record_success(nodes, session)
elseif RESULT == 'retry_after' then
  local ms = tonumber(ARGV[4])
  if ms > limits.max_retry_after then count('capped_retry_afters', 1) end
  record_retry_after(nodes[2], session, math.min(ms, limits.max_retry_after), ARGV[5])
elseif RESULT == 'failed' then
  local seen = tonumber(ARGV[7])
  local last_success = math.max(tonumber(state.last_success or 0), seen >= 0 and now - seen or 0)
  record_failure(nodes, session, now - ARGV[6], last_success)
end
end_trial(nodes[2], session)
if state.degraded then keep_alive() end
return call_waiters()
