#!lua flags=allow-oom
-- Expire a session: cancel its open turns, and let the next sweep remove it.
-- include: session authorize events counters message_json turns token_usage enqueue_delivery
-- include: finish_turn keep_alive token_budget
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
--
-- Replies:
--   ENDED | SESSION_NOT_FOUND
--   SESSION_EXPIRED   the session has expired before
read('schema', 'owner', 'party', 'tokens', 'token_hash', 'expires_at', 'running_turn', 'head',
  'tail', 'waiting', 'attempt', 'partial_bytes', 'prompt_tokens', 'nonce', 'bytes')
local err = authorize(ARGV[4])
if err then return { err } end
if s.running_turn ~= 0 then
  count_unfinished_attempt('0')
  finish_turn(s.running_turn, 'cancelled', CANCELLED_RESULT, pop_partial())
  release_lease()
end
for turn = s.head, s.tail do
  if read_open_turn(turn) then finish_turn(turn, 'cancelled', CANCELLED_RESULT, '') end
end
set_head(s.tail + 1)
-- Later activity must not extend the session's life.
set('max_expires_at', now)
set('expires_at', now)
set_due(now)
publish()
return { 'ENDED' }
