-- Turns and files that are added to an idle session, such as imported ones. Needs events.lua,
-- message_json.lua, session_bytes.lua, files.lua, and `s` with tail and file_bytes.
-- include: past_turns
--
-- ARGV from a place on:
--   max bytes of the session's files
--   number of files
--   id description content    of each file, see put_file
--   message parts reply       of each turn, see lib/past_turns.lua

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
  local turn, size = s.tail or 0, 0
  for i = restore_files(place), #ARGV, 3 do
    turn = turn + 1
    local message, reply = past_message_json(turn, i), past_reply_json(turn, i, model)
    redis.call('HSET', MESSAGES, 2 * turn - 1, message, 2 * turn, reply)
    size = size + #message + #reply
  end
  add_bytes(size)
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
