#!lua flags=allow-oom
-- Commit the one outcome of the running turn.
-- include: session event tally reply turns tokens post settle life lease budget
--
-- ARGV[4] fence    ARGV[5] nonce
-- ARGV[6] offset and ARGV[7] fragment: the last piece, as in append
-- ARGV[8] status: completed, incomplete, failed or cancelled
-- ARGV[9] model, JSON string    ARGV[10] finish_reason, usage and error, as JSON members
-- ARGV[11] ms until the first look at what waits, in case that its wake-up is lost
-- ARGV[12] tokens that the attempt took, for the session's budget
--
-- FINISHED waiting (turns that wait now) posted (1 when a webhook is to be told)
-- ALREADY: this claim has ended | LEASE_LOST | GONE
read('v', 'turn', 'fence', 'nonce', 'done', 'head', 'tail', 'waiting', 'attempt', 'said', 'bytes',
  'started', 'ttl', 'max_at', 'kept', 'spent', 'spent_until')
local no = lost()
if no then return { no } end
local fragment = unsaid(ARGV[6], ARGV[7])
if not fragment then return { 'LEASE_LOST' } end

if fragment ~= '' then
  tally_first_delta()
  log('message.delta', ',"message_id":"' .. reply_id(s.turn) .. '","delta":"' .. fragment .. '"')
end
settle(s.turn, ARGV[8], ARGV[10], partial() .. fragment, ARGV[9])
release()
set('done', ARGV[5])
spend(tonumber(ARGV[12]))
keep_alive()
due_at(s.waiting > 0 and now + ARGV[11] or s.expires)
tell()
return { 'FINISHED', s.waiting, posted }
