-- Turns that are added as they are, such as imported ones. Needs events.lua, message_json.lua,
-- session_bytes.lua, and `s` with tail.

-- Append whole turns to the history. Their texts are in ARGV from `place` on, each the inside of a JSON
-- string: message, reply, message, reply, ... A message without a reply has an empty one, of attempt 0.
-- model: JSON string.
local function restore_turns(model, place)
  local at = format_seconds(now)
  local turn = s.tail or 0
  while place < #ARGV do
    turn = turn + 1
    local reply = { created_at = at, started_at = at, completed_at = at, prompt = 2 * turn - 1,
      attempt = ARGV[place + 1] == '' and 0 or 1, model = model }
    local message = user_message_json(2 * turn - 1, ARGV[place])
    local json = reply_json(turn, 'completed', ARGV[place + 1], reply,
      '"finish_reason":"stop","usage":null,"error":null,"wait":null')
    redis.call('HSET', MESSAGES, 2 * turn - 1, message, 2 * turn, json)
    add_bytes(#message + #json)
    place = place + 2
  end
  -- All keys exist from now on, and get a TTL with keep_alive(true).
  redis.call('HSET', IDEMPOTENCY, 'restored', '')
  set('tail', turn)
  set('head', turn + 1)
  -- The messages have no events. The first event is trimmed, so that subscribers at any cursor get a
  -- gap and a snapshot.
  append_event('session.updated', ',"changes":{}')
  clear_log()
  append_event('session.updated', ',"changes":{}')
end
