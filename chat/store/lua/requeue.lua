#!lua flags=allow-oom
-- Make the session's next turn available now. A running turn loses its lease and is requeued.
-- include: session authorize events counters message_json turns token_usage enqueue_delivery
-- include: finish_turn keep_alive requeue_turn token_budget
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    ms until the sweeper checks the turn, in case its wake-up is lost
-- ARGV[6]    1 if sessions have a token budget
--
-- Replies:
--   REQUEUED
--   IDLE        no turn waits or runs
--   CANCELLED   cancellation of the running turn had been requested
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'owner', 'party', 'tokens', 'token_hash', 'expires_at', 'running_turn', 'head',
  'tail', 'waiting', 'attempt', 'retry_at', 'cancel_requested', 'partial_bytes', 'prompt_tokens',
  'nonce', 'bytes', 'ttl', 'max_expires_at', 'keys_expire_at', 'tokens_used', 'budget_resets_at')
local err = authorize(ARGV[4])
if err then return { err } end
if s.running_turn == 0 and s.waiting == 0 then return { 'IDLE' } end
if s.running_turn ~= 0 then count_unfinished_attempt(ARGV[6]) end
local reply = 'REQUEUED'
if s.running_turn ~= 0 and s.cancel_requested == 1 then
  finish_turn(s.running_turn, 'cancelled', CANCELLED_RESULT, pop_partial())
  release_lease()
  reply = 'CANCELLED'
elseif s.running_turn ~= 0 then
  requeue_turn(now, 'queue', 'null')
end
if s.retry_at > now then set('retry_at', now) end
keep_alive()
set_due(s.waiting > 0 and now + ARGV[5] or s.expires_at)
publish()
return { reply }
