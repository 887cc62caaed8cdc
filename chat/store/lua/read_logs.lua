#!lua flags=no-writes
-- Read events of many sessions of a partition, each after its own cursor.
-- include: clock
--
-- KEYS[2i - 1]  hash: session i
-- KEYS[2i]      stream: its events
-- ARGV[1]       max events per session
-- ARGV[2]       bytes per session after which reading stops
-- ARGV[4i - 1]  the caller's credential, see lib/authorize.lua
-- ARGV[4i]      cursor: the last seq that the caller has, or -1 to read no event
-- ARGV[4i + 1]  created_at of the event at the cursor, or ''
-- ARGV[4i + 2]  1 if that event needs checking only when newer events exist
--
-- Replies: one text per session, in order
--   EVENTS seq first \n event \n ...   seq: the newest; first: the seq of the first event below.
--       It does not follow the cursor if the log is trimmed, or the cursor belongs to another
--       history (Redis lost writes)
--   EVENTS seq first created_at        no newer events; created_at of the event at the cursor
--   SESSION_NOT_FOUND | SESSION_EXPIRED

-- Equal to lib/authorize.lua. fields: in the order of the HMGET below.
local function may_access(key, token_hash, credential)
  if credential == '' or credential == token_hash then return true end
  local kind = string.match(credential, '^(%l+):')
  return kind and redis.call('HGET', key, kind == 'user' and 'owner' or 'party') == credential
end

local function authorize(key, fields, credential)
  local seq, token_hash, expires_at, running_turn, waiting = unpack(fields)
  if not seq or not may_access(key, token_hash, credential) then return 'SESSION_NOT_FOUND' end
  local is_idle = tonumber(running_turn or 0) == 0 and tonumber(waiting or 0) == 0
  return is_idle and tonumber(expires_at) <= now and 'SESSION_EXPIRED'
end

-- Return the events after the cursor, and created_at of the event at the cursor if it is kept.
local function events_after(log, cursor)
  local id = cursor .. '-0'
  local found = redis.call('XRANGE', log, id, '+', 'COUNT', ARGV[1] + 1)
  if not found[1] or found[1][1] ~= id then return found end
  local event = table.remove(found, 1)[2][2]
  return found, string.match(event, '"created_at":([%d.]+)')
end

-- event_time: created_at of the event at the cursor, as the caller knows it. Events of two
-- histories differ in it, so another value means that the cursor belongs to a history that Redis
-- has lost.
local function read_log(log, seq, cursor, event_time, is_verified)
  if cursor < 0 or cursor == seq and is_verified then
    return { 'EVENTS ' .. seq .. ' ' .. seq + 1 }
  end
  local newer, at
  if cursor <= seq then newer, at = events_after(log, cursor) end
  if not newer or at and event_time ~= '' and at ~= event_time then
    newer, at = events_after(log, 0)
  end
  if not newer[1] then
    return { 'EVENTS ' .. seq .. ' ' .. seq + 1 .. ' ' .. (at or '') }
  end
  local first = string.match(newer[1][1], '^%d+')
  local lines, bytes = { 'EVENTS ' .. seq .. ' ' .. first }, 0
  for i, entry in ipairs(newer) do
    lines[i + 1] = entry[2][2]
    bytes = bytes + #entry[2][2]
    if bytes >= tonumber(ARGV[2]) then break end
  end
  return lines
end

local found = {}
for i = 1, #KEYS / 2 do
  local fields = redis.call('HMGET', KEYS[2 * i - 1], 'seq', 'token_hash', 'expires_at',
    'running_turn', 'waiting')
  local credential, cursor, event_time, is_verified = unpack(ARGV, 4 * i - 1, 4 * i + 2)
  found[i] = authorize(KEYS[2 * i - 1], fields, credential) or table.concat(read_log(KEYS[2 * i],
    tonumber(fields[1]), tonumber(cursor), event_time, is_verified == '1'), '\n')
end
return found
