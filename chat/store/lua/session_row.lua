#!lua flags=no-writes
-- Read fields of a session, and the start of its first message.
--
-- KEYS[1]  hash: the session's fields
-- KEYS[2]  hash: its messages
-- ARGV[1]  max bytes of the message
-- ARGV[2-] names of fields; the first one is first_message
--
-- Replies: text value...   text: the inside of a JSON string, cut anywhere; '' if there is no message
local SESSION, MESSAGES = unpack(KEYS)
local values = redis.call('HMGET', SESSION, unpack(ARGV, 2))
local message = values[1] and redis.call('HGET', MESSAGES, values[1])
local _, before = string.find(message or '', '"content":"', 1, true)
local text = before and string.sub(message, before + 1, before + ARGV[1]) or ''
return { string.match(text, '^(.-)","id":"msg_') or text, unpack(values) }
