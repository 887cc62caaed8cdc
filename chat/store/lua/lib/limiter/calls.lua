-- Which callers may call a model now.
-- include: limiter/next_waiter

-- Return ms until the rates allow a call, and the arrival times after it.
local function rate_ms(tokens)
  local tat, ms = check_rate(state.tat, limits.interval, limits.burst, 1)
  if ms > 0 then return ms end
  local token_tat, token_ms = check_rate(state.token_tat, limits.per_token, limits.token_burst,
    tokens, tonumber(state.token_cost or 0))
  return token_ms, tat, token_tat
end

-- Return why a call cannot start now, or nil, and ms until it may, if that is known.
local function obstacle(nodes, session, tokens)
  local ms, reason = blocked_ms(nodes[2], session)
  if ms > 0 then return reason, ms end
  if MAX_CALLS > 0 and in_use >= MAX_CALLS then return 'queue' end
  if not is_below_bounds(nodes) then return 'own_share' end
  ms = rate_ms(tokens)
  if ms > 0 then return 'rate_limited', ms end
end

-- Count a call that starts, in the rates and perhaps as a trial.
local function start_call(nodes, session, tokens)
  local _, tat, token_tat = rate_ms(tokens)
  state.tat, state.token_tat, state.token_cost = tat, token_tat, tokens
  redis.call('HSET', LIMITER, 'tat', tat, 'token_tat', token_tat, 'token_cost', tokens)
  start_trial(nodes[2], session)
end

-- Promise free slots to waiters, each to the next one. Return their sessions, which must be woken.
local function call_waiters()
  local woken = {}
  if redis.call('EXISTS', QUEUE) == 0 then return woken end
  count_slots()
  while #woken < limits.wake_ups and (MAX_CALLS == 0 or in_use < MAX_CALLS) do
    local caller = next_waiter()
    if not caller then break end
    local nodes, session = nodes_of(caller)
    local ticket, tokens = place_of(session)
    if rate_ms(tokens) > 0 then break end
    start_call(nodes, session, tokens)
    lease_slot(caller, PROMISE_MS)
    count_slot(caller, true)
    advance(nodes)
    leave_queue(nodes, session, ticket)
    charge(nodes, QUANTUM_MS)
    woken[#woken + 1] = session
  end
  if woken[1] then keep_alive() end
  return woken
end
