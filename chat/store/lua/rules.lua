#!lua flags=no-writes
-- Read which rules of the operator apply to a session.
-- include: session authorize
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
--
-- Replies:
--   RULES policy model party   policy: of the API key that opened it, JSON, or ''
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'party', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'policy', 'model')
local err = authorize(ARGV[4])
if err then return { err } end
return { 'RULES', s.policy or '', s.model, s.party or '' }
