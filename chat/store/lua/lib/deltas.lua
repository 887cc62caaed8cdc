-- Events of what the model of the running turn has sent. Needs events.lua, message_json.lua, and `s`
-- with running_turn.

local function append_delta(type, delta)
  append_event(type,
    ',"message_id":"' .. reply_id(s.running_turn) .. '","delta":"' .. delta .. '"')
end

-- output: see lib/output.lua
local function append_deltas(output)
  if not string.find(output, '\1', 1, true) then return append_delta('message.delta', output) end
  for piece, last in string.gmatch(string.gsub(output, '\2\1', ''), '([^\1\2]+)([\1\2]?)') do
    append_delta(last == '\2' and 'message.reasoning' or 'message.delta', piece)
  end
end
