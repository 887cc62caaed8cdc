#!lua flags=allow-oom
-- Replace the text of a message by a note, delete its feedback, its items and files and the turn's
-- params, and trim the event log.
-- include: session authorize events message_json keep_alive session_bytes params files
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    number of the message
-- ARGV[6]    the note, the inside of a JSON string
--
-- Replies:
--   REDACTED
--   ALREADY        the text is redacted, and the log does not hold it
--   SESSION_BUSY   the reply has not ended
--   MESSAGE_NOT_FOUND | SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'ttl', 'max_expires_at',
  'keys_expire_at', 'bytes', 'file_bytes')
local err = authorize(ARGV[4])
if err then return { err } end
local message = redis.call('HGET', MESSAGES, ARGV[5])
if not message then return { 'MESSAGE_NOT_FOUND' } end
local changed_at, status = message_state(message)
if status == 'queued' or status == 'in_progress' then return { 'SESSION_BUSY' } end

-- Quotes inside JSON strings are escaped, so this is where the text ends.
local rest, feedback =
  split_feedback(string.sub(message, string.find(message, '","id":"msg_', 1, true), -1))
local rating = string.match(feedback, '^{"rating":"(%a+)"')
local redacted = ',"status":"' .. status .. '","content":"' .. ARGV[6] .. rest ..
  ',"feedback":' .. (rating and '{"rating":"' .. rating .. '","comment":""}' or 'null') .. '}'
local is_in_log = tonumber(changed_at) > s.log_start
if message == '{"seq":' .. changed_at .. redacted and not is_in_log then return { 'ALREADY' } end

redacted = '{"seq":' .. (seq + 1) .. redacted
redis.call('HSET', MESSAGES, ARGV[5], redacted)
set('bytes', s.bytes + #redacted - #message)
delete_items(ARGV[5])
delete_files_of(message)
delete_params(math.ceil(ARGV[5] / 2))
-- The first event is trimmed with the log, so that subscribers at any cursor get a gap and a new
-- snapshot.
append_event('session.updated', ',"changes":{}')
clear_log()
append_event('session.updated', ',"changes":{}')
keep_alive()
if s.running_turn == 0 and s.waiting == 0 then set_due(s.expires_at) end
publish_seq()
return { 'REDACTED' }
