#!lua flags=allow-oom
-- Store the outcome of the running turn.
-- include: session events counters message_json turns token_usage enqueue_delivery finish_turn
-- include: keep_alive lease deltas token_budget
--
-- KEYS          see lib/session.lua
-- ARGV[1-5]     see lib/session.lua and lib/lease.lua
-- OFFSET        of the last delta, as in append
-- DELTA         the last delta, as in append
-- STATUS        completed, incomplete, failed or cancelled
-- MODEL         JSON string
-- RESULT        finish_reason, usage and error, as JSON members
-- GRACE         ms until the sweeper checks the next turn, in case its wake-up is lost
-- TOKENS        of the attempt, for the session's budget
-- USAGE         "<prompt> <completion> <cached>" tokens of the attempt, or ''
-- IS_RESERVED   1 if the attempt has a reservation, see lib/budgets.lua
--
-- Replies:
--   FINISHED waiting delivery_enqueued counters   waiting: turns; delivery_enqueued: 1 if a webhook
--                                                 is due; counters: see lib/counters.lua
--   ALREADY                                       this claim has finished
--   LEASE_LOST | SESSION_GONE
local OFFSET, DELTA, STATUS, MODEL, RESULT, GRACE, TOKENS, USAGE, IS_RESERVED = unpack(ARGV, 6)
read('schema', 'owner', 'party', 'tokens', 'running_turn', 'fence', 'nonce', 'head', 'tail',
  'waiting', 'attempt', 'partial_bytes', 'bytes', 'started_at', 'ttl', 'max_expires_at',
  'keys_expire_at', 'tokens_used', 'budget_resets_at')
local err = check_lease()
if err then return { err } end
local delta = new_text(OFFSET, DELTA)
if not delta then return { 'LEASE_LOST' } end

returned = {}
if delta ~= '' then
  record_first_token()
  append_deltas(delta)
end
attempt_usage = USAGE
finish_turn(s.running_turn, STATUS, RESULT, pop_partial() .. delta, MODEL)
release_lease()
set('finished_nonce', NONCE)
use_tokens(tonumber(TOKENS))
if IS_RESERVED == '1' then record_charge(NONCE, USAGE) end
keep_alive()
set_due(s.waiting > 0 and now + GRACE or s.expires_at)
publish()
return { 'FINISHED', s.waiting, delivery_enqueued, table.concat(returned, '\n') }
