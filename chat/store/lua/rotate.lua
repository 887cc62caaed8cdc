#!lua flags=allow-oom
-- Give the session a new token; the old one is worth nothing from here on.
-- include: session access event life
--
-- ARGV[4] SHA-256 of the caller's token, or ''
-- ARGV[5] SHA-256 of the new token
--
-- ROTATED expires (ms) | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting', 'ttl', 'max_at', 'kept', 'rotated')
local again = s.v and s.token == ARGV[5] -- the same call, sent twice
local no = refused(again and s.token or ARGV[4])
if no then return { no } end
if again and s.rotated > 0 then return { 'ROTATED', s.rotated } end -- as it was answered then
if not again then
  set('token', ARGV[5])
  log('session.updated', ',"changes":{}')
end
keep_alive(true)
set('rotated', s.expires)
if s.turn == 0 and s.waiting == 0 then due_at(s.expires) end
-- Who follows by the old token misses this event, so has to read, and is refused.
hint()
return { 'ROTATED', s.expires }
