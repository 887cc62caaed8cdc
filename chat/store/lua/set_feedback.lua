#!lua
-- Store the feedback on a reply that has ended.
-- include: session authorize events counters message_json keep_alive
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    SHA-256 of the caller's token, or ''
-- ARGV[5]    number of the reply
-- ARGV[6]    feedback, JSON object, or null to remove it
--
-- Replies:
--   STORED message
--   FEEDBACK_NOT_ALLOWED   the message is not a reply, or has not ended
--   MESSAGE_NOT_FOUND | SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'ttl', 'max_expires_at',
  'keys_expire_at')
local err = authorize(ARGV[4])
if err then return { err } end
local message = redis.call('HGET', MESSAGES, ARGV[5])
if not message then return { 'MESSAGE_NOT_FOUND' } end
local _, status = message_state(message)
if ARGV[5] % 2 == 1 or status == 'queued' or status == 'in_progress' then
  return { 'FEEDBACK_NOT_ALLOWED' }
end
local others, feedback = split_feedback(message)
if feedback == ARGV[6] then return { 'STORED', message } end

local rest = string.sub(others, string.find(others, ',"status":', 1, true), -1)
message = '{"seq":' .. (seq + 1) .. rest .. ',"feedback":' .. ARGV[6] .. '}'
redis.call('HSET', MESSAGES, ARGV[5], message)
append_event('message.rated', ',"message_id":"msg_' .. ARGV[5] .. '","message":' .. message)
keep_alive()
if s.running_turn == 0 and s.waiting == 0 then set_due(s.expires_at) end
publish()
return { 'STORED', message }
