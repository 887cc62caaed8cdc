#!lua
-- Store a file of the session. To store it again changes nothing.
-- include: session authorize changes session_bytes files keep_alive
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    id of the file, which depends on its content
-- ARGV[6]    description, JSON object
-- ARGV[7]    content
-- ARGV[8]    max bytes of the session's files
-- ARGV[9]    ms between changes at the steady rate; 0 for no limit
-- ARGV[10]   burst, changes
--
-- Replies:
--   STORED
--   SESSION_FILES_FULL | SESSION_FULL | SESSION_NOT_FOUND | SESSION_EXPIRED
--   RATE_LIMITED ms              until the next change is allowed
--   QUOTA_NEEDED bytes holders   see lib/session_bytes.lua
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'ttl', 'max_expires_at',
  'keys_expire_at', 'bytes', 'kept_bytes', 'file_bytes', 'quota', 'changes_tat')
local err = authorize(ARGV[4])
if err then return { err } end
if redis.call('HEXISTS', FILES, ARGV[5]) == 1 then return { 'STORED' } end
local more = #ARGV[6] + #ARGV[7]
if s.file_bytes + more > tonumber(ARGV[8]) then return { 'SESSION_FILES_FULL' } end
local refusal = refuse_bytes(more)
if refusal then return refusal end
local wait_ms = count_change(ARGV[9], ARGV[10])
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
store_file(ARGV[5], ARGV[6], ARGV[7])
keep_alive(true)
if s.running_turn == 0 and s.waiting == 0 then set_due(s.expires_at) end
save()
return { 'STORED' }
