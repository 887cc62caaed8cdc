#!lua flags=no-writes
-- Read files of the session.
-- include: session authorize
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    1 if the contents are wanted
-- ARGV[6...] ids
--
-- Replies:
--   FILES description content ...   of each id, '' if there is no such file; contents are '' unless wanted
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting')
local err = authorize(ARGV[4])
if err then return { err } end
local result = { 'FILES' }
for place = 6, #ARGV do
  result[#result + 1] = redis.call('HGET', FILES, ARGV[place] .. ':description') or ''
  result[#result + 1] = ARGV[5] == '1' and redis.call('HGET', FILES, ARGV[place]) or ''
end
return result
