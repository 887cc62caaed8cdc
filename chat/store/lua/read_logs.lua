#!lua flags=no-writes
-- Read events of many sessions of a partition, each after its own cursor.
-- include: clock read_events
--
-- KEYS[4i - 3]  hash: session i
-- KEYS[4i - 2]  list: its events
-- KEYS[4i - 1]  stream: those of an older version
-- KEYS[4i]      hash: its messages
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
  local newest, token_hash, expires_at, running_turn, waiting = unpack(fields)
  if not newest or not may_access(key, token_hash, credential) then return 'SESSION_NOT_FOUND' end
  local is_idle = tonumber(running_turn or 0) == 0 and tonumber(waiting or 0) == 0
  return is_idle and tonumber(expires_at) <= now and 'SESSION_EXPIRED'
end

-- event_time: created_at of the event at the cursor, as the caller knows it. Events of two
-- histories differ in it, so another value means that the cursor belongs to a history that Redis
-- has lost.
local function read_log(log, cursor, event_time, is_verified)
  local nothing = 'EVENTS ' .. log.seq .. ' ' .. log.seq + 1
  if cursor < 0 or cursor == log.seq and is_verified then return { nothing } end
  open_log(log)
  local found, first, at = read_lines(log, cursor - 1, ARGV[1] + 1)
  if first == cursor and found[1] then
    first, at = first + 1, line_time(table.remove(found, 1))
  end
  if cursor > log.seq or at and event_time ~= '' and at ~= event_time then
    found, first = read_lines(log, 0, ARGV[1] + 1)
    at = nil
  end
  local events
  events, first = expand_lines(log, found, first, tonumber(ARGV[2]))
  if not events[1] then return { nothing .. ' ' .. (at or '') } end
  return { 'EVENTS ' .. log.seq .. ' ' .. first, unpack(events) }
end

local logs = {}
for i = 1, #KEYS / 4 do
  local key, list, stream, messages = unpack(KEYS, 4 * i - 3, 4 * i)
  local fields = redis.call('HMGET', key, 'seq', 'token_hash', 'expires_at', 'running_turn',
    'waiting', 'log_end')
  local credential, cursor, event_time, is_verified = unpack(ARGV, 4 * i - 1, 4 * i + 2)
  local log = { seq = tonumber(fields[1]), log_end = tonumber(fields[6] or 0),
    id = string.match(key, '[^:]*$'), list = list, stream = stream, messages = messages }
  logs[i] = authorize(key, fields, credential) or
    table.concat(read_log(log, tonumber(cursor), event_time, is_verified == '1'), '\n')
end
return logs
