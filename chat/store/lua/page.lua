#!lua flags=no-writes
-- Read messages before or after a cursor.
-- include: session authorize message_json render_message
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    cursor: number of a message, which is left out; -1 for the oldest or newest end
-- ARGV[6]    step: 1 reads newer messages, -1 older ones
-- ARGV[7]    max messages
-- ARGV[8]    bytes of messages at which the reply ends; it has at least one message
--
-- Replies:
--   PAGE has_more message...   in the order read
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'head', 'tail',
  'first_message', 'has_items')
local err = authorize(ARGV[4])
if err then return { err } end
local step, limit, max_bytes = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local first, last = s.first_message, 2 * s.tail
local number = tonumber(ARGV[5])
if number < 0 then number = step > 0 and first - 1 or last + 1 end
local result, bytes = { 'PAGE', 0 }, 0
number = step > 0 and math.max(number + 1, first) or math.min(number - 1, last)
while number >= first and number <= last do
  local message = redis.call('HGET', MESSAGES, number)
  if message then
    message = #result - 2 < limit and render_message(number, message)
    bytes = bytes + #(message or '')
    if not message or bytes > max_bytes and result[3] then
      result[2] = 1
      break
    end
    result[#result + 1] = message
  end
  number = number + step
end
return result
