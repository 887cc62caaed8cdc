#!lua flags=allow-oom
-- Delete the session with all its keys.
-- include: session authorize message_json search_index remove_session outbox pending_deliveries
--
-- KEYS       see lib/session.lua; KEYS[17-18] see lib/outbox.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    SHA-256 of the caller's token, or ''
--
-- Replies:
--   DELETED addresses   of the client, or ''
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting')
local err = authorize(ARGV[4])
if err then return { err } end
local addresses = redis.call('HGET', SESSION, 'addresses') or ''
delete_deliveries()
remove_session('session.deleted')
return { 'DELETED', addresses }
