#!lua flags=allow-oom
-- Give the session a new token; the old one is worth nothing from here on.
-- include: session access event life
--
-- ARGV[3] SHA-256 of the caller's token, or ''    ARGV[4] margin of key TTLs, seconds
-- ARGV[5] SHA-256 of the new token
--
-- ROTATED expires (ms) | GONE | EXPIRED
s = read('v', 'token', 'expires', 'turn', 'waiting', 'ttl', 'max_at')
if s.v and s.token == ARGV[5] then s.token = ARGV[3] end -- the same call again
local no = refused(s, ARGV[3])
if no then return { no } end
redis.call('HSET', SESSION, 'token', ARGV[5])
keep_alive(ARGV[4])
if s.turn == 0 and s.waiting == 0 then due_at(s.expires) end
log('session.updated', ',"changes":{}')
tell()
return { 'ROTATED', s.expires }
