-- The queue of a limiter: hierarchical start-time fair queueing (Goyal, Vin and Cheng, 1996), by
-- class, party, owner and session.
-- include: limiter/keys
--
-- QUEUE has a member "parent|tag ticket|name" for each waiting session, and for each node with one;
-- the parent of a class is "". The child with the lowest tag is next. The tag of a node is the time,
-- ms, that its calls have used slots; of a session it is 0. Of children with the same tag, that with
-- the lowest ticket has waited longest. A node that joins the queue starts at the virtual time of
-- its parent: the tag of the child that was called last. TAGS has "tag ticket" by node, and virtual
-- times by node and "|". Tags are kept while anything waits.

local function split_node(node)
  local parent, name = string.match(node, '^(.*) (%S+)$')
  return parent or '', name or node
end

local function queue_entry(parent, tag, ticket, name)
  return parent .. string.format('|%016.0f %016.0f|', tag, ticket) .. name
end

-- Return the waiting children of a node, in order.
local function children_of(parent, offset, count)
  return redis.call('ZRANGE', QUEUE, '[' .. parent .. '|', '(' .. parent .. '}', 'BYLEX',
    'LIMIT', offset, count)
end

-- Return tag and ticket of a node, or nil.
local function tag_of(node)
  local tag, ticket = string.match(redis.call('HGET', TAGS, node) or '', '^(%d+) (%d+)$')
  return tonumber(tag), tonumber(ticket)
end

local function set_tag(node, tag, ticket)
  redis.call('HSET', TAGS, node, string.format('%.0f %.0f', tag, ticket))
end

local function virtual_time(parent)
  return tonumber(redis.call('HGET', TAGS, parent .. '|') or 0)
end

-- Let a session wait. Nothing changes if it does already.
local function join_queue(nodes, session, ticket)
  local is_new = not children_of(nodes[3], 0, 1)[1]
  redis.call('ZADD', QUEUE, 0, queue_entry(nodes[3], 0, ticket, session))
  for level = 3, 1, -1 do
    if not is_new then return end
    local parent, name = split_node(nodes[level])
    is_new = not children_of(parent, 0, 1)[1]
    local tag = math.max(virtual_time(parent), tag_of(nodes[level]) or 0)
    set_tag(nodes[level], tag, ticket)
    redis.call('ZADD', QUEUE, 0, queue_entry(parent, tag, ticket, name))
  end
end

-- Let a session wait no more; return false if it did not.
local function leave_queue(nodes, session, ticket)
  if redis.call('ZREM', QUEUE, queue_entry(nodes[3], 0, ticket, session)) == 0 then
    return false
  end
  for level = 3, 1, -1 do
    if children_of(nodes[level], 0, 1)[1] then return true end
    local parent, name = split_node(nodes[level])
    local tag, joined = tag_of(nodes[level])
    redis.call('ZREM', QUEUE, queue_entry(parent, tag, joined, name))
  end
  if redis.call('EXISTS', QUEUE) == 0 then redis.call('UNLINK', TAGS) end
  return true
end
