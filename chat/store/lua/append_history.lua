#!lua
-- Append turns with their replies to an idle session.
-- include: session authorize events session_bytes keep_alive message_json files restore_turns changes
-- include: idempotency
--
-- KEYS         see lib/session.lua
-- ARGV[1-3]    see lib/session.lua
-- ARGV[4]      the caller's credential, see lib/authorize.lua
-- ARGV[5]      ms between changes at the steady rate; 0 for no limit
-- ARGV[6]      burst, changes
-- ARGV[7]      idempotency key, never empty
-- ARGV[8]      digest of the request
-- ARGV[9...]   files and turns, see lib/restore_turns.lua
--
-- Replies:
--   APPENDED tail   number of the last turn; the same for a repeated request
--   SESSION_BUSY    a turn is open
--   IDEMPOTENCY_MISMATCH
--   SESSION_FILES_FULL | SESSION_FULL | RATE_LIMITED ms | SESSION_NOT_FOUND | SESSION_EXPIRED
--   QUOTA_NEEDED bytes holders   see lib/session_bytes.lua
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'tail', 'model', 'bytes',
  'kept_bytes', 'quota', 'ttl', 'max_expires_at', 'keys_expire_at', 'changes_tat', 'file_bytes')
local err = authorize(ARGV[4])
if err then return { err } end
local response = first_response(ARGV[7], ARGV[8])
if response == 'IDEMPOTENCY_MISMATCH' then return { response } end
if response then
  save_response(ARGV[7], ARGV[8], response)
  return { 'APPENDED', tonumber(response) }
end
if s.running_turn ~= 0 or s.waiting > 0 then return { 'SESSION_BUSY' } end
if not has_room_for_files(9) then return { 'SESSION_FILES_FULL' } end
local more = 0
for place = 9, #ARGV do more = more + #ARGV[place] end
local refusal = refuse_bytes(more)
if refusal then return refusal end
local wait_ms = count_change(ARGV[5], ARGV[6])
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
restore_turns(s.model, 9)
save_response(ARGV[7], ARGV[8], s.tail)
keep_alive(true)
set_due(s.expires_at)
publish_seq()
return { 'APPENDED', s.tail }
