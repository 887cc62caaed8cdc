#!lua flags=allow-oom
-- Clear the session's history and keep the session; open turns are cancelled first.
-- include: session access event tally reply turns tokens post settle life idem accept outbox pending budget
--
-- ARGV[4] SHA-256 of the caller's token, or ''
-- ARGV[5] idempotency key, never empty    ARGV[6] digest of the request
-- ARGV[7] 1 when sessions have a budget of tokens
-- ARGV[8] ms between two messages, 0 for any     ARGV[9] burst, messages
--
-- RESET | REPLAYED | MISMATCH | GONE | EXPIRED | RATE_LIMITED ms
read('v', 'token', 'expires', 'turn', 'head', 'tail', 'waiting', 'attempt', 'said', 'bytes', 'ttl',
  'max_at', 'kept', 'tat', 'spent', 'spent_until')
local no = refused(ARGV[4])
if no then return { no } end
local first = first_answer(ARGV[5], ARGV[6])
if first then return { first == 'reset' and 'REPLAYED' or 'MISMATCH' } end
-- Each answer that is kept takes memory until the session ends, as a message's does.
local tat, wait_ms = pace(ARGV[8], ARGV[9])
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end

if s.turn ~= 0 then
  spend_unfinished(ARGV[7])
  settle(s.turn, 'cancelled', CANCELLED, partial())
  release()
end
for turn = s.head, s.tail do
  if open_turn(turn) then settle(turn, 'cancelled', CANCELLED, '') end
end
step_to(s.tail + 1)
keep_pending(false)
redis.call('UNLINK', MESSAGES)
set('first', 2 * s.tail + 1)
set('bytes', 0)
set('tat', tat)
log('session.reset', '')
keep_answer(ARGV[5], ARGV[6], 'reset')
keep_alive(true)
due_at(s.expires)
tell()
return { 'RESET' }
