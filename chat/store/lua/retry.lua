#!lua flags=allow-oom
-- Put the running turn back at the head of the session queue, to be retried later.
-- include: session events counters message_json turns token_usage enqueue_delivery finish_turn
-- include: keep_alive lease requeue_turn token_budget
--
-- KEYS          see lib/session.lua
-- ARGV[1-5]     see lib/session.lua and lib/lease.lua
-- DELAY         ms
-- REASON        queue, own_share, circuit, rate_limited or model_loading
-- IS_COUNTED    1 if this attempt counts, else 0
-- MODEL         of the next attempt, JSON string, or null for the session's
-- ERROR         of this attempt, JSON object or null
-- MAY_BE_WOKEN  1 if a wake-up may start the turn before the delay is over
-- TOKENS        of the attempt, for the session's budget
-- USAGE         "<prompt> <completion> <cached>" tokens of the attempt, or ''
-- IS_RESERVED   1 if the attempt has a reservation, see lib/budgets.lua
-- AHEAD         sessions that call the model before this one, at most
--
-- Replies:
--   RETRYING
--   CANCELLED waiting delivery_enqueued   cancellation had been requested; see finish
--   ALREADY                               this claim has finished
--   LEASE_LOST | SESSION_GONE
local DELAY, REASON, IS_COUNTED, MODEL, ERROR, MAY_BE_WOKEN, TOKENS, USAGE, IS_RESERVED, AHEAD =
  unpack(ARGV, 6)
read('schema', 'owner', 'party', 'tokens', 'running_turn', 'fence', 'nonce', 'head', 'tail',
  'waiting', 'attempt', 'deadline', 'next_deadline', 'cancel_requested', 'partial_bytes', 'bytes',
  'ttl', 'max_expires_at', 'keys_expire_at', 'tokens_used', 'budget_resets_at')
local err = check_lease()
if err then return { err } end

set('finished_nonce', NONCE)
use_tokens(tonumber(TOKENS))
if IS_RESERVED == '1' then record_charge(NONCE, USAGE) end
attempt_usage = USAGE
if s.cancel_requested == 1 then
  finish_turn(s.running_turn, 'cancelled', CANCELLED_RESULT, pop_partial())
  release_lease()
  keep_alive()
  set_due(s.waiting > 0 and now or s.expires_at)
  publish()
  return { 'CANCELLED', s.waiting, delivery_enqueued }
end
local retry_at = now + DELAY
set('attempt', s.attempt - 1 + IS_COUNTED)
requeue_turn(retry_at, REASON, ERROR, MODEL, AHEAD)
if MAY_BE_WOKEN == '1' then set('retry_at', 0) end
set_due_by(math.min(retry_at, s.deadline))
publish()
return { 'RETRYING' }
