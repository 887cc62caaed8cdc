#!lua flags=no-writes
-- Read on in the logs of many sessions of a partition, each from a cursor of its own.
--
-- KEYS[2i - 1] session i    KEYS[2i] its log
-- ARGV[1] most events of a log    ARGV[2] bytes of a log after which its reading ends
-- ARGV[4i - 1] SHA-256 of a caller's token, or ''
-- ARGV[4i] the last seq that the caller has, or -1, to be told of no event
-- ARGV[4i + 1] that event's stamp, or ''
-- ARGV[4i + 2] 1 when the stamp is to be looked at only if there are newer events
--
-- For each session one text, in their order:
--   EVENTS seq first, and a line for each event: seq is the newest one's, first that of the first
--     line; it does not follow the cursor when that is older than what is kept, newer than seq, or
--     of another history
--   EVENTS seq first stamp, when there is no newer one, and the stamp was looked at
--   GONE | EXPIRED
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- The numbers of the fields are those of the HMGET below.
local function refused(s, token)
  if not s[1] or (token ~= '' and s[2] ~= token) then return 'GONE' end
  local is_idle = tonumber(s[4] or 0) == 0 and tonumber(s[5] or 0) == 0
  return is_idle and tonumber(s[3]) <= now and 'EXPIRED'
end

-- The events from the cursor on, without the one that is there, and its stamp if it is kept.
local function beyond(log, cursor)
  local id = cursor .. '-0'
  local found = redis.call('XRANGE', log, id, '+', 'COUNT', ARGV[1] + 1)
  if not found[1] or found[1][1] ~= id then return found end
  local event = table.remove(found, 1)[2][2]
  return found, string.match(event, '"created_at":([%d.]+)')
end

local function read_on(log, seq, cursor, stamp, is_sure)
  if cursor < 0 or cursor == seq and is_sure then
    return { 'EVENTS ' .. seq .. ' ' .. seq + 1 }
  end
  local newer, at
  if cursor <= seq then newer, at = beyond(log, cursor) end
  if not newer or at and stamp ~= '' and at ~= stamp then newer, at = beyond(log, 0) end
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
  local s = redis.call('HMGET', KEYS[2 * i - 1], 'seq', 'token', 'expires', 'turn', 'waiting')
  local token, cursor, stamp, is_sure = unpack(ARGV, 4 * i - 1, 4 * i + 2)
  found[i] = refused(s, token) or table.concat(
    read_on(KEYS[2 * i], tonumber(s[1]), tonumber(cursor), stamp, is_sure == '1'), '\n')
end
return found
