#!lua
-- Open a session with a history: whole turns, each of a message of the user and its reply.
-- include: session event facets open life reply
--
-- ARGV[4...13] as in create
-- ARGV[14] bytes of the texts     ARGV[15...] texts, each the inside of a JSON string: message,
--   reply, message, reply, ...
--
-- CREATED created expires (ms) | EXISTS created expires: the same call again | TAKEN
local known = open_session()
if known then return known end

local at = seconds(now)
local turn = 0
for place = 15, #ARGV, 2 do
  turn = turn + 1
  local reply = { created_at = at, started_at = at, completed_at = at, prompt = 2 * turn - 1,
    attempt = 1, model = ARGV[9] }
  redis.call('HSET', MESSAGES, 2 * turn - 1, prompt_json(2 * turn - 1, ARGV[place]),
    2 * turn, reply_json(turn, 'completed', ARGV[place + 1], reply,
      '"finish_reason":"stop","usage":null,"error":null,"wait":null'))
end
set('tail', turn)
set('head', turn + 1)
set('bytes', ARGV[14])
-- No events tell of these messages. The log begins after its first one, so that a follower of any
-- cursor finds a gap, and in its place gets the session as it is.
log('session.updated', ',"changes":{}')
redis.call('XTRIM', EVENTS, 'MAXLEN', 0)
log('session.updated', ',"changes":{}')
keep_alive(true)
set('kept', 0) -- keys that the next act makes want a TTL, too
due_at(s.expires)
hint()
return { 'CREATED', now, s.expires }
