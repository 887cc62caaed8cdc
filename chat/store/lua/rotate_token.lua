#!lua
-- Replace the token of the session; the old one is invalid immediately.
-- include: session authorize events keep_alive changes
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    SHA-256 of the new token
-- ARGV[6]    ms between changes at the steady rate; 0 for no limit
-- ARGV[7]    burst, changes
--
-- Replies:
--   ROTATED expires_at   ms
--   RATE_LIMITED ms      until the next change is allowed
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'ttl', 'max_expires_at',
  'keys_expire_at', 'rotated_expires_at', 'changes_tat')
local is_repeat = s.schema and s.token_hash == ARGV[5] -- the same call, sent again
local err = authorize(is_repeat and s.token_hash or ARGV[4])
if err then return { err } end
if is_repeat and s.rotated_expires_at > 0 then return { 'ROTATED', s.rotated_expires_at } end
local wait_ms = is_repeat and 0 or count_change(ARGV[6], ARGV[7])
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
if not is_repeat then
  set('token_hash', ARGV[5])
  append_event('session.updated', ',"changes":{}')
end
keep_alive()
set('rotated_expires_at', s.expires_at)
if s.running_turn == 0 and s.waiting == 0 then set_due(s.expires_at) end
-- Subscribers must read the log, which refuses those with the old token.
publish_seq()
return { 'ROTATED', s.expires_at }
