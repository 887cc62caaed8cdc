#!lua
-- Store the feedback on a reply that has ended.
-- include: session authorize events counters message_json render_message keep_alive session_bytes
-- include: changes labels
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    number of the reply
-- ARGV[6]    feedback, JSON object, or null to remove it
-- ARGV[7]    ms between changes at the steady rate; 0 for no limit
-- ARGV[8]    burst, changes
--
-- Replies:
--   STORED message
--   FEEDBACK_NOT_ALLOWED   the message is not a reply, or has not ended
--   RATE_LIMITED ms        until the next change is allowed
--   SESSION_FULL | MESSAGE_NOT_FOUND | SESSION_NOT_FOUND | SESSION_EXPIRED
--   QUOTA_NEEDED bytes holders   see lib/session_bytes.lua
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'ttl', 'max_expires_at',
  'keys_expire_at', 'bytes', 'kept_bytes', 'quota', 'changes_tat', 'has_items')
local err = authorize(ARGV[4])
if err then return { err } end
local message = redis.call('HGET', MESSAGES, ARGV[5])
if not message then return { 'MESSAGE_NOT_FOUND' } end
local _, status = message_state(message)
if ARGV[5] % 2 == 1 or status == 'queued' or status == 'in_progress' then
  return { 'FEEDBACK_NOT_ALLOWED' }
end
local others, feedback = split_feedback(message)
if feedback == ARGV[6] then return { 'STORED', render_message(ARGV[5], message) } end
local growth = #ARGV[6] - #feedback
local refusal = growth > 0 and refuse_bytes(growth)
if refusal then return refusal end
local wait_ms = count_change(ARGV[7], ARGV[8])
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end

local rest = string.sub(others, string.find(others, ',"status":', 1, true), -1)
local old_bytes = #message
message = '{"seq":' .. (seq + 1) .. rest .. ',"feedback":' .. ARGV[6] .. '}'
redis.call('HSET', MESSAGES, ARGV[5], message)
add_bytes(#message - old_bytes)
local rating = string.match(ARGV[6], '^{"rating":"(%a+)"')
label_rating(ARGV[5], rating)
append_event('message.rated', ',"message_id":"msg_' .. ARGV[5] .. '","rating":' ..
  (rating and '"' .. rating .. '"' or 'null'))
keep_alive()
if s.running_turn == 0 and s.waiting == 0 then set_due(s.expires_at) end
publish()
return { 'STORED', render_message(ARGV[5], message) }
