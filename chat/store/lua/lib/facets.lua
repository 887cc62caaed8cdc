-- What the list of sessions is searched by: session -> "<model, JSON>\n<name, folded>"; the same with
-- the session on a third line, as members of a set; and how many use a model. A folded name is a line.

-- The name that was noted, or nil: an older version opened the session.
local function forget_facets()
  local facet = redis.call('HGET', FACETS, ID)
  if not facet then return nil end
  local model, name = string.match(facet, '^([^\n]*)\n(.*)$')
  redis.call('HDEL', FACETS, ID)
  redis.call('SREM', NAMES, facet .. '\n' .. ID)
  redis.call('HINCRBY', COUNTS, 'model:' .. model, -1)
  return name
end

local function note_facets(model, name)
  local facet = model .. '\n' .. name
  redis.call('HSET', FACETS, ID, facet)
  redis.call('SADD', NAMES, facet .. '\n' .. ID)
  redis.call('HINCRBY', COUNTS, 'model:' .. model, 1)
end
