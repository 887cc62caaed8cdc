-- Writes to the stored event log.
-- include: trim_log
local MAX_PUSH = 1000 -- lines; Lua passes a limited number of arguments

-- Delete the events in the stream, but not the key: an older version would create it without a TTL.
local function empty_stream()
  redis.call('XTRIM', EVENTS, 'MAXLEN', 0)
end

-- Delete the stored events. Those of this script are kept.
local function drop_log()
  redis.call('DEL', LOG)
  empty_stream()
  s.log_bytes = #table.concat(lines)
  set('log_start', seq - #lines)
  set('log_end', seq - #lines)
end

-- Delete all events.
local function clear_log()
  lines = {}
  drop_log()
end

local function push(list)
  local length
  for i = 1, #list, MAX_PUSH do
    length = redis.call('RPUSH', LOG, unpack(list, i, math.min(i + MAX_PUSH - 1, #list)))
  end
  return length
end

-- Move the events that an older version has added to the stream. If they do not follow the list, that
-- version has trimmed the log.
local function move_stream()
  local newest = seq - #lines
  local moved, first = {}, newest + 1
  for i, entry in ipairs(redis.call('XRANGE', EVENTS, '-', '+')) do
    moved[i] = entry[2][2]
    if i == 1 then first = tonumber(string.match(entry[1], '^%d+')) end
  end
  if first ~= s.log_end + 1 then
    redis.call('DEL', LOG)
    s.log_bytes = #table.concat(moved) + #table.concat(lines)
    set('log_start', first - 1)
  end
  empty_stream()
  if moved[1] then push(moved) end
end

-- Give a new list, or a new stream of an older version, the TTL of the session's other keys.
local function expire_log()
  local at = redis.call('PEXPIRETIME', SESSION)
  for _, key in ipairs({ LOG, EVENTS }) do
    if at > 0 then redis.call('PEXPIREAT', key, at) end
  end
end

local function push_lines()
  if not lines[1] then return end
  local is_mixed = s.log_end ~= seq - #lines
  if is_mixed then move_stream() end
  local is_new = push(lines) == #lines
  if is_new then set('log_start', seq - #lines) end
  if is_new or is_mixed then expire_log() end
  set('log_end', seq)
end
