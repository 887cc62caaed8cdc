#!lua flags=allow-oom
-- Have the session's next turn begun at once: a running one is taken from its worker, whose later
-- writes are refused; one that waits for its next attempt waits no longer.
-- include: session access event tally reply turns tokens post settle life restart budget
--
-- ARGV[4] SHA-256 of the caller's token, or ''
-- ARGV[5] ms until a sweep looks whether the wake-up was heard
-- ARGV[6] 1 when sessions have a budget of tokens
--
-- REQUEUED | IDLE: nothing waits or runs | CANCELLED: the running turn was marked to be cancelled
-- GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'head', 'tail', 'waiting', 'attempt', 'retry_at',
  'cancel', 'said', 'bytes', 'ttl', 'max_at', 'kept', 'spent', 'spent_until')
local no = refused(ARGV[4])
if no then return { no } end
if s.turn == 0 and s.waiting == 0 then return { 'IDLE' } end
if s.turn ~= 0 then spend_unfinished(ARGV[6]) end
local word = 'REQUEUED'
if s.turn ~= 0 and s.cancel == 1 then
  settle(s.turn, 'cancelled', CANCELLED, partial())
  release()
  word = 'CANCELLED'
elseif s.turn ~= 0 then
  restart(now, 'queue', 'null')
end
if s.retry_at > now then set('retry_at', now) end
keep_alive()
due_at(s.waiting > 0 and now + ARGV[5] or s.expires)
tell()
return { word }
