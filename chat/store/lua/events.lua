#!lua flags=no-writes
-- Read the session's log from a cursor on.
-- include: session access
--
-- ARGV[4] SHA-256 of the caller's token, or ''    ARGV[5] cursor: the last seq that the caller has
-- ARGV[6] most events
--
-- EVENTS seq earliest event... | GONE | EXPIRED
--   seq: the newest one; earliest: the oldest event kept, seq + 1 when none is
read('v', 'token', 'expires', 'turn', 'waiting')
local no = refused(ARGV[4])
if no then return { no } end
local oldest = redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', 1)
local earliest = oldest[1] and tonumber(string.match(oldest[1][1], '^%d+')) or seq + 1
local answer = { 'EVENTS', seq, earliest }
if tonumber(ARGV[5]) >= seq then return answer end
local newer = redis.call('XRANGE', EVENTS, (ARGV[5] + 1) .. '-0', '+', 'COUNT', ARGV[6])
for _, entry in ipairs(newer) do
  answer[#answer + 1] = entry[2][2]
end
return answer
