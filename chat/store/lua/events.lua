#!lua flags=no-writes
-- Read events after a cursor.
-- include: session authorize
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
local oldest = redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', 1)
local earliest = oldest[1] and tonumber(string.match(oldest[1][1], '^%d+')) or seq + 1
local result = { 'EVENTS', seq, earliest }
if tonumber(ARGV[5]) >= seq then return result end
local newer = redis.call('XRANGE', EVENTS, (ARGV[5] + 1) .. '-0', '+', 'COUNT', ARGV[6])
for _, entry in ipairs(newer) do
  result[#result + 1] = entry[2][2]
end
return result
