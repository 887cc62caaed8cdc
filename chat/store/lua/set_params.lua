#!lua flags=allow-oom
-- Replace the params of a turn.
-- include: session authorize session_bytes params
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    number of the reply
-- ARGV[6]    params, JSON
--
-- Replies:
--   SET | MESSAGE_NOT_FOUND | SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'bytes')
local err = authorize(ARGV[4])
if err then return { err } end
if redis.call('HEXISTS', MESSAGES, ARGV[5]) == 0 then return { 'MESSAGE_NOT_FOUND' } end
set_params(ARGV[5] / 2, ARGV[6])
save()
return { 'SET' }
