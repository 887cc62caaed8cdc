#!lua flags=allow-oom
-- Count a follower's presence as activity.
-- include: session access life
--
-- ARGV[4] SHA-256 of the caller's token, or ''
--
-- TOUCHED expires (ms) | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting', 'ttl', 'max_at', 'kept')
local no = refused(ARGV[4])
if no then return { no } end
keep_alive()
save()
if s.turn == 0 and s.waiting == 0 then due_at(s.expires) end
return { 'TOUCHED', s.expires }
