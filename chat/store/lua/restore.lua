#!lua
-- Create a session with a history of whole turns: a user message and its reply each.
-- include: session events search_index by_user session_bytes create_session keep_alive message_json
--
-- KEYS         see lib/session.lua
-- ARGV[1-3]    see lib/session.lua
-- ARGV[4-21]   as in create
-- ARGV[22...]  texts, each the inside of a JSON string: message, reply, message, reply, ...
--
-- Replies:
--   CREATED created_at expires_at   ms
--   EXISTS created_at expires_at    the same call came before
--   IDEMPOTENCY_MISMATCH            another session has this id
local existing = create_session()
if existing then return existing end

local at = format_seconds(now)
local turn = 0
for place = 22, #ARGV, 2 do
  turn = turn + 1
  local reply = { created_at = at, started_at = at, completed_at = at, prompt = 2 * turn - 1,
    attempt = 1, model = ARGV[9] }
  local message = user_message_json(2 * turn - 1, ARGV[place])
  local json = reply_json(turn, 'completed', ARGV[place + 1], reply,
    '"finish_reason":"stop","usage":null,"error":null,"wait":null')
  redis.call('HSET', MESSAGES, 2 * turn - 1, message, 2 * turn, json)
  add_bytes(#message + #json)
end
set('tail', turn)
set('head', turn + 1)
-- The messages have no events. The first event is trimmed, so that subscribers at any cursor get a
-- gap and a snapshot.
append_event('session.updated', ',"changes":{}')
clear_log()
append_event('session.updated', ',"changes":{}')
keep_alive(true)
set('keys_expire_at', 0) -- keys that the next script adds need a TTL, too
set_due(s.expires_at)
publish_seq()
return { 'CREATED', now, s.expires_at }
