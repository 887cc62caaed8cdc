-- What a limiter forgets once a second: dead workers, missing waiters, old failures.
-- include: limiter/calls
local BATCH = 500 -- per script
local MINUTE_MS, MAX_IDLE_TAGS = 60000, 1000

-- Remove the waiters that have not retried in time.
local function forget_missing_waiters()
  local missing = redis.call('ZRANGE', WAITERS, '-inf', now - limits.waiter_ttl, 'BYSCORE',
    'LIMIT', 0, BATCH)
  for _, session in ipairs(missing) do
    if not remove_waiter(session) then redis.call('ZREM', WAITERS, session) end
  end
end

-- Remove the slots that no worker renewed. A waiter that did not take its slot is last of its owner.
local function free_expired_slots()
  local expired = redis.call('ZRANGE', SLOTS, '-inf', now, 'BYSCORE', 'LIMIT', 0, BATCH)
  for _, caller in ipairs(expired) do
    local nodes, session = nodes_of(caller)
    local ticket, tokens, joined_at = place_of(session)
    if ticket then
      withdraw_promise(caller, nodes, session, tokens)
      ticket = redis.call('HINCRBY', LIMITER, 'ticket', 1)
      set_place(caller, session, ticket, tokens, joined_at)
      join_queue(nodes, session, ticket)
    else
      remove_expired_slot(caller, nodes)
    end
  end
end

local function is_over(health)
  for _, trial in pairs(health.trials or {}) do
    if trial.ends_at > now then return false end
  end
  return not has_retry_after(health) and now - (health.failed_at or 0) > ACTIVE_MS
end

-- Forget the failures of those that have not called for a while, once a minute.
local function forget_failures()
  local checked_at = tonumber(redis.call('HGET', LIMITER, 'checked_at') or 0)
  if not state.degraded or math.abs(now - checked_at) < MINUTE_MS then return end
  redis.call('HSET', LIMITER, 'checked_at', now)
  local found = redis.call('HGETALL', HEALTH)
  for i = 1, #found, 2 do
    if is_over(cjson.decode(found[i + 1])) then save_health(found[i], {}) end
  end
end

-- Forget the tags of nodes that do not wait, if there are many.
local function forget_tags()
  if redis.call('HLEN', TAGS) < 2 * redis.call('ZCARD', QUEUE) + MAX_IDLE_TAGS then return end
  local found = redis.call('HGETALL', TAGS)
  for i = 1, #found, 2 do
    local node = string.match(found[i], '^[^|]*')
    if not children_of(node, 0, 1)[1] then redis.call('HDEL', TAGS, found[i]) end
  end
end
