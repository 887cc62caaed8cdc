#!lua flags=allow-oom
-- End a session as if its time were up: open turns are cancelled, and the next sweep removes it.
-- include: session access event tally reply turns tokens post settle life budget
--
-- ARGV[4] SHA-256 of the caller's token, or ''
--
-- ENDED | GONE | EXPIRED: it has ended already
read('v', 'token', 'expires', 'turn', 'head', 'tail', 'waiting', 'attempt', 'said', 'bytes')
local no = refused(ARGV[4])
if no then return { no } end
if s.turn ~= 0 then
  spend_unfinished('0')
  settle(s.turn, 'cancelled', CANCELLED, partial())
  release()
end
for turn = s.head, s.tail do
  if open_turn(turn) then settle(turn, 'cancelled', CANCELLED, '') end
end
step_to(s.tail + 1)
-- Activity that comes too late must not bring it back.
set('max_at', now)
set('expires', now)
due_at(now)
tell()
return { 'ENDED' }
