-- The slot time that callers have used, by which waiters are called.
-- include: limiter/fair_queue
local QUANTUM_MS = 1000 -- that a call is charged when it starts; corrected when it ends

-- Advance the virtual times to the tags of a session that is called.
local function advance(nodes)
  for _, node in ipairs(nodes) do
    local parent = split_node(node)
    local tag = tag_of(node)
    if tag > virtual_time(parent) then redis.call('HSET', TAGS, parent .. '|', tag) end
  end
end

-- Charge slot time to the nodes of a caller, if anything waits.
local function charge(nodes, ms)
  if redis.call('EXISTS', QUEUE) == 0 then return end
  for _, node in ipairs(nodes) do
    local parent, name = split_node(node)
    local tag, ticket = tag_of(node)
    local charged = math.max(0, (tag or virtual_time(parent)) + ms)
    set_tag(node, charged, ticket or 0)
    if tag and redis.call('ZREM', QUEUE, queue_entry(parent, tag, ticket, name)) == 1 then
      redis.call('ZADD', QUEUE, 0, queue_entry(parent, charged, ticket, name))
    end
  end
end
