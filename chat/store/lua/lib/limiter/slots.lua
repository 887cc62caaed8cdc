-- The slots in use, and the bounds on the slots of a class, party or owner.
-- include: limiter/health
--
-- A call is silent until the model sends something. A party and an owner may have silent calls in half
-- of the slots. While others are active, each failure halves this bound; successes restore it.
local MAX_CALLS = limits.max_calls
local HALF = math.ceil(MAX_CALLS / 2)
local HAS_OUTPUT = 0.5 -- added to the ms of a lease, once the call is not silent any more
local in_use, held, silent = 0, {}, {}
local is_counted = false

local function count_slot(caller, is_silent)
  in_use = in_use + 1
  for _, node in ipairs((nodes_of(caller))) do
    held[node] = (held[node] or 0) + 1
    if is_silent then silent[node] = (silent[node] or 0) + 1 end
  end
end

-- Count all valid slots, by node. Expired ones stay in the set until refresh_slots removes them.
local function count_slots()
  if is_counted then return end
  is_counted, in_use, held, silent = true, 0, {}, {}
  local found = redis.call('ZRANGE', SLOTS, '(' .. now, '+inf', 'BYSCORE', 'WITHSCORES')
  for i = 1, #found, 2 do count_slot(found[i], found[i + 1] % 1 == 0) end
end

-- Count the slots by node only if a bound can be reached.
local function count_slots_in_use()
  if MAX_CALLS == 0 then return end
  in_use = redis.call('ZCOUNT', SLOTS, '(' .. now, '+inf')
  if in_use >= HALF or in_use > 0 and state.degraded then count_slots() end
end

-- Return whether a node may get another slot. level: 1 for a class, 2 for a party, 3 for an owner.
local function is_below_bound(node, level)
  if MAX_CALLS == 0 then return true end
  if level == 1 then
    local shares = node == 'anon' and now - (active.key_at or -ACTIVE_MS) < ACTIVE_MS
    return not shares or (held[node] or 0) < HALF
  end
  local bound = HALF
  if count_active(level == 2 and 'parties' or 'owners') >= 2 then
    bound = math.floor(bound / 2 ^ (state.degraded and health_of(node).halvings or 0))
  elseif limits.streams == 0 then
    return true -- all calls are silent until they end
  end
  return (silent[node] or 0) < math.max(1, bound)
end

local function is_below_bounds(nodes)
  for level, node in ipairs(nodes) do
    if not is_below_bound(node, level) then return false end
  end
  return true
end

-- Give a caller a slot, or renew it, for `ms`.
local function lease_slot(caller, ms, has_output)
  redis.call('ZADD', SLOTS, now + ms + (has_output and HAS_OUTPUT or 0), caller)
end
