#!lua
-- Change fields of the session that clients may change.
-- include: session authorize events search_index keep_alive session_bytes changes
--
-- KEYS        see lib/session.lua
-- ARGV[1-3]   see lib/session.lua
-- ARGV[4]     the caller's credential, see lib/authorize.lua
-- ARGV[5]     ms between changes at the steady rate; 0 for no limit
-- ARGV[6]     burst, changes
-- ARGV[7]     TTL, seconds, or '' for no change
-- ARGV[8]     the changed fields, JSON object
-- ARGV[9]     '=' and the new normalized name, or '' for no change
-- ARGV[10...] field, JSON text, field, JSON text, ...: the changed fields, as stored
--
-- Replies:
--   UPDATED | SESSION_FULL | SESSION_NOT_FOUND | SESSION_EXPIRED
--   RATE_LIMITED ms   until the next change is allowed
--   QUOTA_NEEDED bytes holders   see lib/session_bytes.lua
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'ttl', 'max_expires_at',
  'keys_expire_at', 'model', 'bytes', 'kept_bytes', 'quota', 'changes_tat')
local err = authorize(ARGV[4])
if err then return { err } end
local growth = 0
for i = 10, #ARGV, 2 do
  growth = growth + #ARGV[i + 1] - redis.call('HSTRLEN', SESSION, ARGV[i])
end
local refusal = growth > 0 and refuse_bytes(growth)
if refusal then return refusal end
local wait_ms = count_change(ARGV[5], ARGV[6])
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end

for i = 10, #ARGV, 2 do set(ARGV[i], ARGV[i + 1]) end
add_kept_bytes(growth)
local name, openers = unindex_session()
name = string.match(ARGV[9], '^=(.*)$') or name
if name then index_session(s.model, name, openers or '') end
if ARGV[7] ~= '' then set('ttl', tonumber(ARGV[7])) end
append_event('session.updated', ',"changes":' .. ARGV[8])
keep_alive()
if s.running_turn == 0 and s.waiting == 0 then set_due(s.expires_at) end
publish()
return { 'UPDATED' }
