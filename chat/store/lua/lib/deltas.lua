-- Events of what the model of the running turn has sent. Needs events.lua and `s` with running_turn.
-- include: delta_event

-- code: of lib/event_lines.lua
local function append_delta(code, type, delta)
  append_event(type, delta_members(s.running_turn, delta), delta_line(code, s.running_turn, delta))
end

-- output: see lib/output.lua
local function append_deltas(output)
  if not string.find(output, '\1', 1, true) then
    return append_delta('d', 'message.delta', output)
  end
  for piece, last in string.gmatch(string.gsub(output, '\2\1', ''), '([^\1\2]+)([\1\2]?)') do
    if last == '\2' then
      append_delta('r', 'message.reasoning', piece)
    else
      append_delta('d', 'message.delta', piece)
    end
  end
end
