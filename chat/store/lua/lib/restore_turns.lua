-- Turns that are added as they are, such as imported ones. Needs events.lua, message_json.lua,
-- session_bytes.lua, files.lua, and `s` with tail and file_bytes.
--
-- ARGV from a place on:
--   max bytes of the session's files
--   number of files
--   id description content    of each file, see put_file
--   message parts reply       of each turn. The texts are the insides of JSON strings; a message without
--                             a reply has an empty one, of attempt 0. parts: JSON list, or ''

-- Return whether the session has room for the files.
local function has_room_for_files(place)
  local more = 0
  for i = place + 2, place + 1 + 3 * ARGV[place + 1], 3 do
    if redis.call('HEXISTS', FILES, ARGV[i]) == 0 then more = more + #ARGV[i + 1] + #ARGV[i + 2] end
  end
  return more == 0 or s.file_bytes + more <= tonumber(ARGV[place])
end

-- Store the files; return the place after them.
local function restore_files(place)
  local last = place + 1 + 3 * ARGV[place + 1]
  for i = place + 2, last, 3 do
    if redis.call('HEXISTS', FILES, ARGV[i]) == 0 then store_file(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
  end
  return last + 1
end

-- Append whole turns, with their files, to the history. model: JSON string.
local function restore_turns(model, place)
  local at = format_seconds(now)
  local turn, size = s.tail or 0, 0
  for i = restore_files(place), #ARGV, 3 do
    turn = turn + 1
    local reply = { created_at = at, started_at = at, completed_at = at, prompt = 2 * turn - 1,
      attempt = ARGV[i + 2] == '' and 0 or 1, model = model }
    local parts = ARGV[i + 1] ~= '' and ARGV[i + 1] or nil
    local message = user_message_json(2 * turn - 1, ARGV[i], nil, parts)
    local json = reply_json(turn, 'completed', ARGV[i + 2], reply,
      '"finish_reason":"stop","usage":null,"error":null,"wait":null')
    redis.call('HSET', MESSAGES, 2 * turn - 1, message, 2 * turn, json)
    size = size + #message + #json
  end
  add_bytes(size) -- once: `save` unpacks all changes
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
