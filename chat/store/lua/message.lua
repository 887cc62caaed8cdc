#!lua flags=no-writes
-- Read one message.
-- include: session access reply shown
--
-- ARGV[4] SHA-256 of the caller's token, or ''    ARGV[5] number of the message
--
-- MESSAGE message | NOT_FOUND | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting', 'head', 'tail')
local no = refused(ARGV[4])
if no then return { no } end
local message = redis.call('HGET', MESSAGES, ARGV[5])
if not message then return { 'NOT_FOUND' } end
return { 'MESSAGE', shown(ARGV[5], message) }
