#!lua flags=allow-oom
-- Store the outcome of the running turn.
-- include: session events counters message_json turns token_usage enqueue_delivery finish_turn
-- include: keep_alive lease deltas token_budget
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    fence
-- ARGV[5]    nonce
-- ARGV[6]    offset of the last delta, as in append
-- ARGV[7]    the last delta, as in append
-- ARGV[8]    status: completed, incomplete, failed or cancelled
-- ARGV[9]    model, JSON string
-- ARGV[10]   finish_reason, usage and error, as JSON members
-- ARGV[11]   ms until the sweeper checks the next turn, in case its wake-up is lost
-- ARGV[12]   tokens of the attempt, for the session's budget
-- ARGV[13]   "<prompt> <completion> <cached>" tokens of the attempt, or ''
-- ARGV[14]   1 if the attempt has a reservation, see lib/budgets.lua
--
-- Replies:
--   FINISHED waiting delivery_enqueued   waiting: turns; delivery_enqueued: 1 if a webhook is due
--   ALREADY                              this claim has finished
--   LEASE_LOST | SESSION_GONE
read('schema', 'running_turn', 'fence', 'nonce', 'finished_nonce', 'head', 'tail', 'waiting',
  'attempt', 'partial_bytes', 'bytes', 'started_at', 'ttl', 'max_expires_at', 'keys_expire_at',
  'tokens_used', 'budget_resets_at')
local err = check_lease()
if err then return { err } end
local delta = new_text(ARGV[6], ARGV[7])
if not delta then return { 'LEASE_LOST' } end

if delta ~= '' then
  record_first_token()
  append_deltas(delta)
end
attempt_usage = ARGV[13]
finish_turn(s.running_turn, ARGV[8], ARGV[10], take_partial() .. delta, ARGV[9])
release_lease()
set('finished_nonce', ARGV[5])
use_tokens(tonumber(ARGV[12]))
if ARGV[14] == '1' then record_charge(ARGV[5], ARGV[13]) end
keep_alive()
set_due(s.waiting > 0 and now + ARGV[11] or s.expires_at)
publish()
return { 'FINISHED', s.waiting, delivery_enqueued }
