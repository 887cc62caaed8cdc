-- The search index of sessions.
--
-- SEARCH_FIELDS  hash: session -> "<model, JSON>\n<normalized name>\n<openers>"; a normalized name is
--                one line. Earlier versions wrote no openers
-- SEARCH_INDEX   set: model and name, with "\n<session>" at the end
-- LABELS         has each of the openers: labels that say who has opened the session, separated by
--                spaces, see chat/store/openers.py
-- COUNTS         field model:<model, JSON> -> sessions that use the model

-- Call ZADD or ZREM for the openers of the session.
local function change_openers(command, openers, ...)
  local args = { command, LABELS }
  for label in string.gmatch(openers, '%S+') do
    for _, arg in ipairs({ ... }) do args[#args + 1] = arg end
    args[#args + 1] = label .. ' ' .. ID
  end
  if args[3] then redis.call(unpack(args)) end
end

-- Remove the session. Return its normalized name and its openers, or nil if it was not indexed.
local function unindex_session()
  local fields = redis.call('HGET', SEARCH_FIELDS, ID)
  if not fields then return nil end
  local model, name, openers = string.match(fields, '^([^\n]*)\n([^\n]*)\n?(.*)$')
  redis.call('HDEL', SEARCH_FIELDS, ID)
  redis.call('SREM', SEARCH_INDEX, model .. '\n' .. name .. '\n' .. ID)
  redis.call('HINCRBY', COUNTS, 'model:' .. model, -1)
  change_openers('ZREM', openers)
  return name, openers
end

local function index_session(model, name, openers)
  local fields = model .. '\n' .. name .. '\n'
  redis.call('HSET', SEARCH_FIELDS, ID, fields .. openers)
  redis.call('SADD', SEARCH_INDEX, fields .. ID)
  redis.call('HINCRBY', COUNTS, 'model:' .. model, 1)
  change_openers('ZADD', openers, 0)
end
