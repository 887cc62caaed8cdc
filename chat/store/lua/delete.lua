#!lua flags=allow-oom
-- Delete the session with all its keys.
-- include: session authorize message_json search_index remove_session outbox pending_deliveries
--
-- KEYS       see lib/session.lua; KEYS[22-23] see lib/outbox.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
--
-- Replies:
--   DELETED holders   of the session's quotas, or ''
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'owner', 'party', 'token_hash', 'expires_at', 'running_turn', 'waiting')
local err = authorize(ARGV[4])
if err then return { err } end
local holders = redis.call('HGET', SESSION, 'quota_holders') or ''
delete_deliveries()
remove_session('session.deleted')
return { 'DELETED', holders }
