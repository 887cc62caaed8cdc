-- The circuits of a model and its parties, and the Retry-After that blocks them.
-- include: limiter/keys
--
-- Members of a node's JSON; absent if they do not apply:
--   failing                   sessions that failed since the last success
--   failed_at                 ms
--   halvings                  of the node's bound, see lib/limiter/slots.lua
--   opened                    how often the circuit opened without a success
--   open_until                ms; half-open from then on
--   retry_after_until         ms; until then, a Retry-After blocks calls
--   retry_after_reason        why
--   retry_after_by            the session that received it
--   blocked_at                ms at which the circuit opened, or the Retry-After was received
--   next_trial_at, trial_by   ms; the session that tests whether the model rejects others, too
-- only of the model:
--   parties                   that failed since the last success
--   reporter, reported_until  the party that received the last Retry-After, and its end, ms
--   trials                    party -> session and end, ms, of its exclusive right to a trial
local MODEL = 'model'
local MAX_OPEN_MS, TRIAL_RIGHT_MS, MAX_TRIALS = 60000, 10000, 3
local healths = {}

local function health_of(node)
  if not healths[node] then
    local json = state.degraded and redis.call('HGET', HEALTH, node)
    healths[node] = json and cjson.decode(json) or {}
  end
  return healths[node]
end

local function save_health(node, health)
  healths[node] = health
  if next(health) then
    state.degraded = 1
    redis.call('HSET', HEALTH, node, cjson.encode(health))
    redis.call('HSET', LIMITER, 'degraded', 1)
  elseif redis.call('HDEL', HEALTH, node) == 1 and redis.call('EXISTS', HEALTH) == 0 then
    state.degraded = nil
    redis.call('HDEL', LIMITER, 'degraded')
  end
end

local function has_retry_after(health) return (health.retry_after_until or 0) > now end

-- Return ms for which a Retry-After blocks the calls of a session, and its reason.
local function retry_after_ms(health, session, may_try)
  if not has_retry_after(health) or health.trial_by == session then return 0 end
  local ms = health.retry_after_until - now
  if may_try and health.retry_after_by ~= session then
    ms = math.min(ms, math.max(0, health.next_trial_at - now))
  end
  return ms, health.retry_after_reason
end

-- Return ms until a party may make a trial of a half-open circuit: one per party, and few in all.
local function trial_ms(party, session)
  local count, first_end = 0, math.huge
  for each, trial in pairs(health_of(MODEL).trials or {}) do
    if trial.ends_at > now then
      if each == party then return trial.session == session and 0 or trial.ends_at - now end
      count, first_end = count + 1, math.min(first_end, trial.ends_at)
    end
  end
  return health_of(MODEL).opened and count >= MAX_TRIALS and first_end - now or 0
end

-- Return ms for which calls are blocked, and why; 0 if they are not. session: nil for any.
local function blocked_ms(party, session)
  if not state.degraded then return 0 end
  local model, own = health_of(MODEL), health_of(party)
  local open_ms = math.max(model.open_until or 0, own.open_until or 0) - now
  if open_ms > 0 then return open_ms, 'circuit' end
  local is_only_report = not has_retry_after(model) or count_active('parties') < 2
  local ms, reason = retry_after_ms(own, session, is_only_report)
  if ms == 0 then ms, reason = retry_after_ms(model, session, true) end
  if ms > 0 then return ms, reason end
  return (model.opened or own.opened) and trial_ms(party, session) or 0, 'circuit'
end
