-- Calls that test whether a blocked model or party works again, and what a Retry-After blocks.
-- include: health

-- Record that a call starts, which may be a probe.
local function start_probe(party, session)
  if not state.degraded then return end
  local model = health_of(MODEL)
  for node, health in pairs({ [MODEL] = model, [party] = health_of(party) }) do
    if is_held(health) then
      health.next_probe_at, health.prober = now + limits.probe_interval, session
      save_health(node, health)
    end
  end
  if model.opened or health_of(party).opened then
    model.probes = model.probes or {}
    model.probes[party] = { session = session, ends_at = now + PROBE_RIGHT_MS }
    save_health(MODEL, model)
  end
end

-- Count the result of a call if it is a probe.
local function count_probe(party, session, result)
  if not state.degraded then return end
  local model = health_of(MODEL)
  local probe = model.probes and model.probes[party]
  if probe and probe.session == session or model.prober == session or
      health_of(party).prober == session then
    count('probes:' .. result, 1)
  end
end

-- Record that a call has ended, which may have been a probe.
local function end_probe(party, session)
  if not state.degraded then return end
  for _, node in ipairs({ MODEL, party }) do
    local health = health_of(node)
    local probe = health.probes and health.probes[party]
    if probe and probe.session == session then health.probes[party] = nil end
    if health.probes and not next(health.probes) then health.probes = nil end
    if health.prober == session then health.prober = nil end
    save_health(node, health)
  end
end

local function hold_node(node, session, ms, reason)
  local health = health_of(node)
  if not health.opened and not is_held(health) then health.blocked_at = now end
  health.hold_until = math.max(health.hold_until or 0, now + ms)
  health.hold_reason, health.hold_by, health.prober = reason, session, nil
  health.next_probe_at, health.failed_at = now + limits.probe_interval, now
  save_health(node, health)
end

-- Hold the party that received a Retry-After; the model, if another one did, too, or none is active.
local function record_retry_after(party, session, ms, reason)
  local model = health_of(MODEL)
  local is_second = model.reporter and model.reporter ~= party and model.reported_until > now
  hold_node(party, session, ms, reason)
  model.reporter, model.reported_until = party, now + ms
  save_health(MODEL, model)
  if is_second or count_active('parties') < 2 then hold_node(MODEL, session, ms, reason) end
end
