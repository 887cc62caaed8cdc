#!lua flags=no-writes
-- Read one message.
-- include: session access event reply
--
-- ARGV[3] SHA-256 of the caller's token, or ''    ARGV[4] number of the message
--
-- MESSAGE message | NOT_FOUND | GONE | EXPIRED
s = read('v', 'token', 'expires', 'turn', 'waiting', 'head')
local no = refused(s, ARGV[3])
if no then return { no } end
local message = redis.call('HGET', MESSAGES, ARGV[4])
if not message then return { 'NOT_FOUND' } end
return { 'MESSAGE', shown(message, ARGV[4] / 2 - s.head) }
