#!lua flags=allow-oom
-- Put the running turn back at the head of the session queue, to be retried later.
-- include: session events counters message_json turns token_usage enqueue_delivery finish_turn
-- include: keep_alive lease requeue_turn token_budget
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    fence
-- ARGV[5]    nonce
-- ARGV[6]    delay, ms
-- ARGV[7]    reason: queue, own_share, circuit, rate_limited or model_loading
-- ARGV[8]    1 if this attempt counts, else 0
-- ARGV[9]    model of the next attempt, JSON string, or null for the session's
-- ARGV[10]   error of this attempt, JSON object or null
-- ARGV[11]   1 if a wake-up may start the turn before the delay is over
-- ARGV[12]   tokens of the attempt, for the session's budget
-- ARGV[13]   "<prompt> <completion> <cached>" tokens of the attempt, or ''
-- ARGV[14]   1 if the attempt has a reservation, see lib/budgets.lua
-- ARGV[15]   sessions that call the model before this one, at most
--
-- Replies:
--   RETRYING
--   CANCELLED waiting delivery_enqueued   cancellation had been requested; see finish
--   ALREADY                               this claim has finished
--   LEASE_LOST | SESSION_GONE
read('schema', 'running_turn', 'fence', 'nonce', 'finished_nonce', 'head', 'tail', 'waiting',
  'attempt', 'deadline', 'next_deadline', 'cancel_requested', 'partial_bytes', 'bytes', 'ttl',
  'max_expires_at', 'keys_expire_at', 'tokens_used', 'budget_resets_at')
local err = check_lease()
if err then return { err } end

set('finished_nonce', ARGV[5])
use_tokens(tonumber(ARGV[12]))
if ARGV[14] == '1' then record_charge(ARGV[5], ARGV[13]) end
attempt_usage = ARGV[13]
if s.cancel_requested == 1 then
  finish_turn(s.running_turn, 'cancelled', CANCELLED_RESULT, take_partial())
  release_lease()
  keep_alive()
  set_due(s.waiting > 0 and now or s.expires_at)
  publish()
  return { 'CANCELLED', s.waiting, delivery_enqueued }
end
local retry_at = now + ARGV[6]
set('attempt', s.attempt - 1 + ARGV[8])
requeue_turn(retry_at, ARGV[7], ARGV[10], ARGV[9], ARGV[15])
if ARGV[11] == '1' then set('retry_at', 0) end
set_due_by(math.min(retry_at, s.deadline))
publish()
return { 'RETRYING' }
