-- The search index of sessions.
--
-- SEARCH_FIELDS  hash: session -> "<model, JSON>\n<normalized name>"; a normalized name is one line
-- SEARCH_INDEX   set: the same with "\n<session>" at the end
-- COUNTS         field model:<model, JSON> -> sessions that use the model

-- Remove the session. Return its normalized name, or nil if it was not indexed.
local function unindex_session()
  local fields = redis.call('HGET', SEARCH_FIELDS, ID)
  if not fields then return nil end
  local model, name = string.match(fields, '^([^\n]*)\n(.*)$')
  redis.call('HDEL', SEARCH_FIELDS, ID)
  redis.call('SREM', SEARCH_INDEX, fields .. '\n' .. ID)
  redis.call('HINCRBY', COUNTS, 'model:' .. model, -1)
  return name
end

local function index_session(model, name)
  local fields = model .. '\n' .. name
  redis.call('HSET', SEARCH_FIELDS, ID, fields)
  redis.call('SADD', SEARCH_INDEX, fields .. '\n' .. ID)
  redis.call('HINCRBY', COUNTS, 'model:' .. model, 1)
end
