#!lua flags=no-writes
-- Read the session's log from a cursor on.
-- include: session access event
--
-- ARGV[3] SHA-256 of the caller's token, or ''    ARGV[4] cursor: the last seq that the caller has
-- ARGV[5] most events
--
-- EVENTS seq earliest event... | GONE | EXPIRED
--   seq: the newest one; earliest: the oldest event kept, seq + 1 when none is
s = read('v', 'token', 'expires', 'turn', 'waiting')
local no = refused(s, ARGV[3])
if no then return { no } end
local oldest = redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', 1)
local earliest = oldest[1] and tonumber(string.match(oldest[1][1], '^%d+')) or seq + 1
local answer = { 'EVENTS', seq, earliest }
if tonumber(ARGV[4]) >= seq then return answer end
for _, entry in ipairs(redis.call('XRANGE', EVENTS, (ARGV[4] + 1) .. '-0', '+', 'COUNT', ARGV[5])) do
  answer[#answer + 1] = entry[2][2]
end
return answer
