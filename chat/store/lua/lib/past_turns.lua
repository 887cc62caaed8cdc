-- Turns that are added to the history as they are. Needs message_json.lua.
--
-- ARGV from a place on: message parts reply of each turn. The texts are the insides of JSON strings; a
-- message without a reply has an empty one, of attempt 0. parts: JSON list, or ''

-- Return the JSON of the user message of a turn, with the seq of the next event.
local function past_message_json(turn, place)
  local parts = ARGV[place + 1] ~= '' and ARGV[place + 1] or nil
  return user_message_json(2 * turn - 1, ARGV[place], nil, parts)
end

-- Return the JSON of the reply, with the seq of the next event. model: JSON string.
local function past_reply_json(turn, place, model)
  local at, text = format_seconds(now), ARGV[place + 2]
  local reply = { created_at = at, started_at = at, completed_at = at, prompt = 2 * turn - 1,
    attempt = text == '' and 0 or 1, model = model }
  return reply_json(turn, 'completed', text, reply,
    '"finish_reason":"stop","usage":null,"error":null,"wait":null')
end
