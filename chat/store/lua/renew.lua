#!lua flags=allow-oom
-- Give a sign of life for a running turn that has nothing new to say.
-- include: session lease
--
-- ARGV[3] fence    ARGV[4] nonce    ARGV[5] lease, ms
--
-- RENEWED cancel (1 when the turn is to be cancelled) | LEASE_LOST | ALREADY | GONE
s = read('v', 'turn', 'fence', 'nonce', 'done', 'deadline', 'cancel')
local no = lost(s)
if no then return { no } end
renew(s, ARGV[5])
return { 'RENEWED', s.cancel }
