#!lua flags=no-writes
-- Read events after a cursor.
-- include: session authorize read_events
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    cursor: the last seq that the caller has
-- ARGV[6]    max events
--
-- Replies:
--   EVENTS seq earliest event...   seq: the newest; earliest: the oldest kept, or seq + 1
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting')
local err = authorize(ARGV[4])
if err then return { err } end
local log = open_log({ seq = seq, log_end = s.log_end, id = ID, list = LOG, stream = EVENTS,
  messages = MESSAGES })
local found, first = read_lines(log, tonumber(ARGV[5]), tonumber(ARGV[6]))
local events, first_event = expand_lines(log, found, first, math.huge)
local earliest = first_event > first and first_event or log.oldest
local result = { 'EVENTS', seq, earliest }
for i, event in ipairs(events) do result[i + 3] = event end
return result
