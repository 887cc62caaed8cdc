#!lua flags=no-writes
-- Read on in the logs of many sessions of a partition, each from a cursor of its own.
--
-- KEYS[2i - 1] session i    KEYS[2i] its log
-- ARGV[1] most events of a log    ARGV[2] bytes of a log after which its reading ends
-- ARGV[2i + 1] SHA-256 of a caller's token, or ''    ARGV[2i + 2] the last seq that the caller has,
--   or -1, to be told of no event
--
-- For each session one text, in their order:
--   EVENTS seq first, and a line for each event: seq is the newest one's, first that of the first
--     line; it does not follow the cursor when that is older than what is kept, or newer than seq
--   GONE | EXPIRED
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- The numbers of the fields are those of the HMGET below.
local function refused(s, token)
  if not s[1] or (token ~= '' and s[2] ~= token) then return 'GONE' end
  local is_idle = tonumber(s[4] or 0) == 0 and tonumber(s[5] or 0) == 0
  return is_idle and tonumber(s[3]) <= now and 'EXPIRED'
end

local function read_on(log, seq, cursor)
  if cursor == seq or cursor < 0 then return { 'EVENTS ' .. seq .. ' ' .. seq + 1 } end
  if cursor > seq then cursor = 0 end
  local newer = redis.call('XRANGE', log, cursor + 1 .. '-0', '+', 'COUNT', ARGV[1])
  local first = newer[1] and string.match(newer[1][1], '^%d+') or seq + 1
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
  local no = refused(s, ARGV[2 * i + 1])
  local cursor = tonumber(ARGV[2 * i + 2])
  found[i] = no or table.concat(read_on(KEYS[2 * i], tonumber(s[1]), cursor), '\n')
end
return found
