-- Circuits, and holds by a Retry-After, of a model and of its parties.
-- include: limiter
--
-- Members of a node's JSON; absent if they do not apply:
--   failing                   sessions that failed since the last success
--   failed_at                 ms
--   halvings                  of the node's bound, see lib/slots.lua
--   opened                    how often the circuit opened without a success
--   open_until                ms; half-open from then on
--   hold_until, hold_reason   ms; calls are blocked by a Retry-After
--   blocked_at                ms at which the circuit opened, or the hold began
--   hold_by                   the session that received it
--   next_probe_at, prober     ms; the session that checks whether others than hold_by are rejected
-- only of the model:
--   parties                   that failed since the last success
--   reporter, reported_until  the party that received the last Retry-After, and its end, ms
--   probes                    party -> session and end, ms, of its exclusive right to probe
local MODEL = 'model'
local MAX_OPEN_MS, PROBE_RIGHT_MS, MAX_PROBES = 60000, 10000, 3
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

local function is_held(health) return (health.hold_until or 0) > now end

-- Return ms for which a Retry-After blocks the calls of a session, and its reason.
local function hold_ms(health, session, may_probe)
  if not is_held(health) or health.prober == session then return 0 end
  local ms = health.hold_until - now
  if may_probe and health.hold_by ~= session then
    ms = math.min(ms, math.max(0, health.next_probe_at - now))
  end
  return ms, health.hold_reason
end

-- Return ms until a party may probe a half-open circuit: one call per party, and few in all.
local function probe_ms(party, session)
  local count, first_end = 0, math.huge
  for each, probe in pairs(health_of(MODEL).probes or {}) do
    if probe.ends_at > now then
      if each == party then return probe.session == session and 0 or probe.ends_at - now end
      count, first_end = count + 1, math.min(first_end, probe.ends_at)
    end
  end
  return health_of(MODEL).opened and count >= MAX_PROBES and first_end - now or 0
end

-- Return ms for which calls are blocked, and why; 0 if they are not. session: nil for any.
local function blocked_ms(party, session)
  if not state.degraded then return 0 end
  local model, own = health_of(MODEL), health_of(party)
  local open_ms = math.max(model.open_until or 0, own.open_until or 0) - now
  if open_ms > 0 then return open_ms, 'circuit' end
  local is_only_report = not is_held(model) or count_active('parties') < 2
  local ms, reason = hold_ms(own, session, is_only_report)
  if ms == 0 then ms, reason = hold_ms(model, session, true) end
  if ms > 0 then return ms, reason end
  return (model.opened or own.opened) and probe_ms(party, session) or 0, 'circuit'
end
