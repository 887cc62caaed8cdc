#!lua flags=allow-oom
-- Count a subscriber's presence as activity.
-- include: session authorize keep_alive
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
--
-- Replies:
--   TOUCHED expires_at   ms
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'ttl', 'max_expires_at',
  'keys_expire_at')
local err = authorize(ARGV[4])
if err then return { err } end
keep_alive()
save()
if s.running_turn == 0 and s.waiting == 0 then set_due(s.expires_at) end
return { 'TOUCHED', s.expires_at }
