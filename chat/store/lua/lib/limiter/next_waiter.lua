-- The order in which waiters are called.
-- include: limiter/waiters

-- Return the most waiters that may be called before a session, if no other one joins.
local function count_ahead(nodes, session, ticket)
  local entry = queue_entry(nodes[3], 0, ticket, session)
  local rounds = 1 + redis.call('ZLEXCOUNT', QUEUE, '[' .. nodes[3] .. '|', '(' .. entry)
  for _, node in ipairs(nodes) do
    local parent = split_node(node)
    rounds = rounds * redis.call('ZLEXCOUNT', QUEUE, '[' .. parent .. '|', '(' .. parent .. '}')
  end
  local others = redis.call('HLEN', PLACES) - 1
  return math.max(0, math.min(rounds - 1, others))
end

local function is_next(node, level, avoid_failing)
  if level == 4 then
    local nodes, session = nodes_of(node)
    return blocked_ms(nodes[2], session) == 0
  end
  if not is_below_bound(node, level) then return false end
  if level ~= 2 then return true end
  return blocked_ms(node) == 0 and not (avoid_failing and health_of(node).failing)
end

-- Return the next waiter below a node that may call, or nil.
local function find_next(parent, level, avoid_failing)
  local offset, entries = 0, nil
  repeat
    entries = children_of(parent, offset, 10)
    for _, entry in ipairs(entries) do
      local name = string.match(entry, '^[^|]*|[^|]*|(.*)$')
      local node = parent == '' and name or parent .. ' ' .. name
      if is_next(node, level, avoid_failing) then
        local found = level == 4 and node or find_next(node, level + 1, avoid_failing)
        if found then return found end
      end
    end
    offset = offset + 10
  until #entries < 10
end

-- Return the next waiter that may call, or nil. Parties without failures test a half-open circuit
-- first.
local function next_waiter()
  local is_half_open = state.degraded and health_of(MODEL).opened
  return is_half_open and find_next('', 1, true) or find_next('', 1, false)
end
