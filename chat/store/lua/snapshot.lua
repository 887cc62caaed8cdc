#!lua flags=no-writes
-- Read the session and its newest messages.
-- include: session authorize message_json render_message
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    SHA-256 of the caller's token, or ''
-- ARGV[5]    return only messages that changed after this seq; -1 for all
-- ARGV[6]    seq for which the reply is UNCHANGED; -1 for none
-- ARGV[7]    max messages
--
-- Replies:
--   SNAPSHOT now seq running_turn waiting created_at last_active_at expires_at has_more
--     name model system_prompt context metadata webhook_url message...   times in ms
--   UNCHANGED seq
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'head', 'tail',
  'first_message', 'created_at', 'last_active_at', 'name', 'model', 'system_prompt', 'context',
  'metadata', 'webhook_url')
local err = authorize(ARGV[4])
if err then return { err } end
local after = tonumber(ARGV[5])
if after > seq then after = -1 end -- Redis has lost the events that the cursor counts
if seq == tonumber(ARGV[6]) then return { 'UNCHANGED', seq } end

local last = 2 * s.tail
local from = math.max(s.first_message, last - ARGV[7] + 1)
local result = { 'SNAPSHOT', now, seq, s.running_turn, s.waiting, s.created_at,
  s.last_active_at, s.expires_at, from > s.first_message and 1 or 0, s.name, s.model,
  s.system_prompt, s.context, s.metadata, s.webhook_url or 'null' }
if last < from or after >= seq then return result end
local numbers = {}
for number = from, last do numbers[#numbers + 1] = number end
for i, message in ipairs(redis.call('HMGET', MESSAGES, unpack(numbers))) do
  local number = from + i - 1
  if message and (number == 2 * s.running_turn or tonumber((message_state(message))) > after) then
    result[#result + 1] = render_message(number, message)
  end
end
return result
