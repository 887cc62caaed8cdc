#!lua flags=allow-oom
-- Count a follower's presence as activity.
-- include: session access life
--
-- ARGV[3] SHA-256 of the caller's token, or ''    ARGV[4] margin of key TTLs, seconds
--
-- TOUCHED expires (ms) | GONE | EXPIRED
s = read('v', 'token', 'expires', 'turn', 'waiting', 'ttl', 'max_at')
local no = refused(s, ARGV[3])
if no then return { no } end
keep_alive(ARGV[4])
if s.turn == 0 and s.waiting == 0 then due_at(s.expires) end
return { 'TOUCHED', s.expires }
