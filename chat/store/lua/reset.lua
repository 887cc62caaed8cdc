#!lua
-- Cancel the open turns of a session and delete its history, and the events before.
-- include: session authorize events counters message_json turns token_usage enqueue_delivery
-- include: finish_turn keep_alive session_bytes idempotency enqueue_turn outbox pending_deliveries
-- include: token_budget rate
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    idempotency key, never empty
-- ARGV[6]    digest of the request
-- ARGV[7]    1 if sessions have a token budget
-- ARGV[8]    interval between messages at the steady rate, ms; 0 for no limit
-- ARGV[9]    burst, messages
--
-- Replies:
--   RESET | REPLAYED | IDEMPOTENCY_MISMATCH | SESSION_NOT_FOUND | SESSION_EXPIRED
--   RATE_LIMITED ms
--   SESSION_FULL   of saved responses, which a reset keeps
--   QUOTA_NEEDED bytes holders   see lib/session_bytes.lua
read('schema', 'owner', 'party', 'tokens', 'token_hash', 'expires_at', 'running_turn', 'head',
  'tail', 'waiting', 'attempt', 'partial_bytes', 'prompt_tokens', 'nonce', 'bytes', 'kept_bytes',
  'quota', 'ttl', 'max_expires_at', 'keys_expire_at', 'tat', 'tokens_used', 'budget_resets_at')
local err = authorize(ARGV[4])
if err then return { err } end
local response = first_response(ARGV[5], ARGV[6])
if response then return { response == 'reset' and 'REPLAYED' or 'IDEMPOTENCY_MISMATCH' } end
-- Limited as messages are, because each saved response takes memory until the session ends.
local tat, wait_ms = check_rate(s.tat, ARGV[8], ARGV[9], 1)
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
local refusal = refuse_bytes(#ARGV[5] + s.kept_bytes - s.bytes)
if refusal then return refusal end

refers_to_messages = false
if s.running_turn ~= 0 then
  count_unfinished_attempt(ARGV[7])
  finish_turn(s.running_turn, 'cancelled', CANCELLED_RESULT, pop_partial())
  release_lease()
end
for turn = s.head, s.tail do
  if read_open_turn(turn) then finish_turn(turn, 'cancelled', CANCELLED_RESULT, '') end
end
set_head(s.tail + 1)
keep_pending_deliveries(false)
redis.call('UNLINK', MESSAGES, FILES)
clear_labels()
set('first_message', 2 * s.tail + 1)
set('bytes', s.kept_bytes)
set('file_bytes', 0)
set('tat', tat)
append_event('session.reset', '')
drop_log()
save_response(ARGV[5], ARGV[6], 'reset')
keep_alive(true)
set_due(s.expires_at)
publish()
return { 'RESET' }
