#!lua flags=allow-oom
-- Give the running turn back to the inbox's head, to be tried again later.
-- include: session event tally reply turns tokens post settle life lease restart budget
--
-- ARGV[4] fence    ARGV[5] nonce    ARGV[6] delay, ms
-- ARGV[7] reason: queue, rate_limited or model_loading
-- ARGV[8] 1 when this attempt counts, 0 when it does not
-- ARGV[9] model to ask next time, JSON string, or null for the session's own
-- ARGV[10] error that caused it, JSON object or null
-- ARGV[11] 1 when a wake-up may have it tried before the delay is over
-- ARGV[12] tokens that the attempt took, for the session's budget
-- ARGV[13] the same as "<prompt> <completion>", or '' for none
--
-- RETRYING | CANCELLED: a client has cancelled the turn meanwhile
-- ALREADY: this claim has ended | LEASE_LOST | GONE
read('v', 'turn', 'fence', 'nonce', 'done', 'head', 'tail', 'waiting', 'attempt', 'deadline',
  'soonest', 'cancel', 'said', 'bytes', 'ttl', 'max_at', 'kept', 'spent', 'spent_until')
local no = lost()
if no then return { no } end

set('done', ARGV[5])
spend(tonumber(ARGV[12]))
took = ARGV[13]
if s.cancel == 1 then
  settle(s.turn, 'cancelled', CANCELLED, partial())
  release()
  keep_alive()
  due_at(s.waiting > 0 and now or s.expires)
  tell()
  return { 'CANCELLED' }
end
local retry_at = now + ARGV[6]
s.attempt = s.attempt - 1 + ARGV[8]
restart(retry_at, ARGV[7], ARGV[10], ARGV[9])
if ARGV[11] == '1' then set('retry_at', 0) end
due_by(math.min(retry_at, s.deadline))
tell()
return { 'RETRYING' }
