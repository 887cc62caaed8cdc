#!lua flags=allow-oom
-- Give a sign of life for a running turn that has nothing new to say.
-- include: session lease
--
-- ARGV[4] fence    ARGV[5] nonce    ARGV[6] lease, ms
--
-- RENEWED cancel (1 when the turn is to be cancelled) | LEASE_LOST | ALREADY | GONE
read('v', 'turn', 'fence', 'nonce', 'done', 'deadline', 'soonest', 'cancel')
local no = lost()
if no then return { no } end
renew(ARGV[6])
save()
return { 'RENEWED', s.cancel }
