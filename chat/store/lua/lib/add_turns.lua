-- Turns that are added to the history before a new one. Needs events.lua, session_bytes.lua, and `s`
-- with tail, running_turn, waiting.
-- include: past_turns

-- Return the bytes of the turns whose arguments start at a place.
local function past_bytes(place)
  local bytes = 0
  for i = place, #ARGV do bytes = bytes + #ARGV[i] end
  return bytes
end

-- Add the turns, each with the events of a turn that ends at once. Return the number of the last one.
local function add_past_turns(place)
  local turn, size = s.tail, 0
  if place < #ARGV then read_fields('model') end
  for i = place, #ARGV, 3 do
    turn = turn + 1
    local number = 2 * turn - 1
    local message = past_message_json(turn, i)
    append_line(table.concat({ 'q' .. now, turn, number, 0, 1 }, ' '))
    local reply = past_reply_json(turn, i, s.model)
    append_line(table.concat({ 'e' .. now, turn, 'completed' }, ' '))
    redis.call('HSET', MESSAGES, number, message, 2 * turn, reply)
    size = size + #message + #reply
  end
  add_bytes(size)
  if turn > s.tail and s.running_turn == 0 and s.waiting == 0 then set('head', turn + 1) end
  return turn
end
