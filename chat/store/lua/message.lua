#!lua flags=no-writes
-- Read one message.
-- include: session authorize message_json render_message
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    number of the message
--
-- Replies:
--   MESSAGE message params   params: of a reply, see lib/params.lua; '' for none
--   MESSAGE_NOT_FOUND | SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'head', 'tail',
  'has_items')
local err = authorize(ARGV[4])
if err then return { err } end
local message = redis.call('HGET', MESSAGES, ARGV[5])
if not message then return { 'MESSAGE_NOT_FOUND' } end
local params = redis.call('HGET', MESSAGES, ARGV[5] .. ':params')
return { 'MESSAGE', render_message(ARGV[5], message), params or '' }
