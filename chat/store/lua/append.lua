#!lua flags=allow-oom
-- Add a piece to the running reply, which is also a sign of life.
-- include: session event reply lease
--
-- ARGV[3] fence    ARGV[4] nonce    ARGV[5] lease, ms    ARGV[6] margin of key TTLs, seconds
-- ARGV[7] offset: bytes of the reply before the fragment
-- ARGV[8] fragment, the inside of a JSON string; what of it is already there is not added again
--
-- APPENDED cancel (1 when the turn is to be cancelled) | LEASE_LOST | ALREADY | GONE
s = read('v', 'turn', 'fence', 'nonce', 'done', 'deadline', 'cancel', 'expires')
local no = lost(s)
if no then return { no } end

local fragment = unsaid(ARGV[7], ARGV[8])
redis.call('APPEND', PARTIAL, fragment)
if ARGV[7] == '0' then
  redis.call('PEXPIREAT', PARTIAL, s.expires + ARGV[6] * 1000)
end
renew(s, ARGV[5])
log_delta(s.turn, fragment)
tell()
return { 'APPENDED', s.cancel }
