-- The waiters of a limiter, and the slots that are promised to them.
-- include: rate limiter/slots limiter/slot_time limiter/call_results
local PROMISE_MS = 2000 -- for which a slot is kept for a waiter that was woken

-- Return a waiter's ticket, tokens, time of joining and caller, or nil.
local function place_of(session)
  local place = redis.call('HGET', PLACES, session)
  if not place then return nil end
  local ticket, tokens, joined_at, caller = string.match(place, '^(%d+) (%d+) (%d+) (.*)$')
  return tonumber(ticket), tonumber(tokens), tonumber(joined_at), caller
end

local function set_place(caller, session, ticket, tokens, joined_at)
  local place = string.format('%.0f %.0f %.0f ', ticket, tokens, joined_at)
  redis.call('HSET', PLACES, session, place .. caller)
end

-- Remove the slot of a call that no worker renewed. Its session may wait only without it: the expired
-- slot of a waiter is a promise that it did not take.
local function remove_expired_slot(caller, nodes)
  redis.call('ZREM', SLOTS, caller)
  charge(nodes, limits.lease - QUANTUM_MS)
end

-- Take a promised slot back from a waiter that did not come.
local function withdraw_promise(caller, nodes, session, tokens)
  redis.call('ZREM', SLOTS, caller)
  charge(nodes, PROMISE_MS - QUANTUM_MS)
  state.tat = (state.tat or 0) - limits.interval
  state.token_tat = (state.token_tat or 0) - tokens * limits.per_token
  redis.call('HSET', LIMITER, 'tat', state.tat, 'token_tat', state.token_tat)
  end_trial(nodes[2], session)
end

-- Forget a waiter.
local function remove_waiter(session)
  local ticket, tokens, _, caller = place_of(session)
  if not ticket then return false end
  local nodes = nodes_of(caller)
  redis.call('HDEL', PLACES, session)
  redis.call('ZREM', WAITERS, session)
  if not leave_queue(nodes, session, ticket) then
    withdraw_promise(caller, nodes, session, tokens)
  end
  return true
end
