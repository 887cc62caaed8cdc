#!lua flags=allow-oom
-- Change fields of the session that clients may change.
-- include: session authorize events search_index keep_alive
--
-- KEYS        see lib/session.lua
-- ARGV[1-3]   see lib/session.lua
-- ARGV[4]     SHA-256 of the caller's token, or ''
-- ARGV[5]     TTL, seconds, or '' for no change
-- ARGV[6]     the changed fields, JSON object
-- ARGV[7]     '=' and the new normalized name, or '' for no change
-- ARGV[8...]  field, JSON text, field, JSON text, ...: the changed fields, as stored
--
-- Replies:
--   UPDATED | SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'ttl', 'max_expires_at',
  'keys_expire_at', 'model')
local err = authorize(ARGV[4])
if err then return { err } end
for i = 8, #ARGV, 2 do set(ARGV[i], ARGV[i + 1]) end
local name = unindex_session()
name = string.match(ARGV[7], '^=(.*)$') or name
if name then index_session(s.model, name) end
if ARGV[5] ~= '' then set('ttl', tonumber(ARGV[5])) end
append_event('session.updated', ',"changes":' .. ARGV[6])
keep_alive(true)
if s.running_turn == 0 and s.waiting == 0 then set_due(s.expires_at) end
publish()
return { 'UPDATED' }
