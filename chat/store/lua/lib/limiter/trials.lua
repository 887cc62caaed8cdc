-- Trials: calls that test whether a blocked model or party works again. What a Retry-After blocks.
-- include: limiter/health

-- Record that a call starts, which may be a trial.
local function start_trial(party, session)
  if not state.degraded then return end
  local model = health_of(MODEL)
  for node, health in pairs({ [MODEL] = model, [party] = health_of(party) }) do
    if has_retry_after(health) then
      health.next_trial_at, health.trial_by = now + limits.trial_interval, session
      save_health(node, health)
    end
  end
  if model.opened or health_of(party).opened then
    model.trials = model.trials or {}
    model.trials[party] = { session = session, ends_at = now + TRIAL_RIGHT_MS }
    save_health(MODEL, model)
  end
end

-- Count the result of a call if it is a trial.
local function count_trial(party, session, result)
  if not state.degraded then return end
  local model = health_of(MODEL)
  local trial = model.trials and model.trials[party]
  if trial and trial.session == session or model.trial_by == session or
      health_of(party).trial_by == session then
    count('trials:' .. result, 1)
  end
end

-- Record that a call has ended, which may have been a trial.
local function end_trial(party, session)
  if not state.degraded then return end
  for _, node in ipairs({ MODEL, party }) do
    local health = health_of(node)
    local trial = health.trials and health.trials[party]
    if trial and trial.session == session then health.trials[party] = nil end
    if health.trials and not next(health.trials) then health.trials = nil end
    if health.trial_by == session then health.trial_by = nil end
    save_health(node, health)
  end
end

local function block_node(node, session, ms, reason)
  local health = health_of(node)
  if not health.opened and not has_retry_after(health) then health.blocked_at = now end
  health.retry_after_until = math.max(health.retry_after_until or 0, now + ms)
  health.retry_after_reason, health.retry_after_by, health.trial_by = reason, session, nil
  health.next_trial_at, health.failed_at = now + limits.trial_interval, now
  save_health(node, health)
end

-- Block the party that received a Retry-After; also the model, if another party received one, or
-- none is active.
local function record_retry_after(party, session, ms, reason)
  local model = health_of(MODEL)
  local is_second = model.reporter and model.reporter ~= party and model.reported_until > now
  block_node(party, session, ms, reason)
  model.reporter, model.reported_until = party, now + ms
  save_health(MODEL, model)
  if is_second or count_active('parties') < 2 then block_node(MODEL, session, ms, reason) end
end
