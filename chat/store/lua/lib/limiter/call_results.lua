-- What the result of a call says about the health of its model and party.
-- include: limiter/trials

local function add_distinct(health, name, value, max)
  local list = health[name] or {}
  health[name] = list
  for _, each in ipairs(list) do if each == value then return end end
  if #list < max then list[#list + 1] = value end
end

local function halve_bound(node)
  if limits.max_calls == 0 then return end
  local health = health_of(node)
  health.halvings, health.failed_at = math.min((health.halvings or 0) + 1, 10), now
  save_health(node, health)
end

-- Open the circuit if enough sessions failed, or if a call failed that began while it was half-open.
-- Calls of waiters that were promised a slot earlier may begin while it is open.
local function open_circuit(health, began_at, enough)
  if health.opened and began_at < health.open_until or not health.opened and not enough then
    return
  end
  if not health.opened and not has_retry_after(health) then health.blocked_at = now end
  health.opened = (health.opened or 0) + 1
  local ms = limits.reset * 2 ^ math.min(health.opened - 1, 16)
  health.open_until = now + math.min(ms, math.max(limits.reset, MAX_OPEN_MS))
end

-- Record that a call has failed. began_at: ms. last_success: ms, of any call to the model.
local function record_failure(nodes, session, began_at, last_success)
  local party, model = nodes[2], health_of(MODEL)
  halve_bound(nodes[3])
  halve_bound(party)
  local own = health_of(party)
  own.failed_at = now
  add_distinct(own, 'failing', session, limits.threshold)
  open_circuit(own, began_at, #own.failing >= limits.threshold)
  save_health(party, own)
  if began_at <= last_success then return end
  model.failed_at = now
  add_distinct(model, 'failing', session, limits.threshold)
  add_distinct(model, 'parties', party, 3)
  open_circuit(model, began_at, #model.failing >= limits.threshold and
    #model.parties >= math.min(3, count_active('parties')))
  save_health(MODEL, model)
end

-- Close the circuit of a node. A Retry-After ends only if the call was its trial.
local RETRY_AFTER = { 'blocked_at', 'retry_after_until', 'retry_after_reason', 'retry_after_by',
  'next_trial_at', 'trial_by', 'reporter', 'reported_until' }
local function recover(node, session)
  local health, kept = health_of(node), {}
  if (health.halvings or 0) > 1 then kept.halvings = health.halvings - 1 end
  local blocked_until = math.max(health.retry_after_until or 0, health.reported_until or 0)
  if blocked_until > now and health.trial_by ~= session then
    for _, name in ipairs(RETRY_AFTER) do kept[name] = health[name] end
  end
  if next(kept) then kept.failed_at = health.failed_at end
  save_health(node, kept)
end

local function record_success(nodes, session)
  redis.call('HSET', LIMITER, 'last_success', now)
  if not state.degraded then return end
  for _, node in ipairs({ MODEL, nodes[2], nodes[3] }) do recover(node, session) end
end
