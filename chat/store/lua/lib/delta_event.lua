-- The event of a delta, its line in the log, and the message that publishes events.
-- include: clock event_json
local MAX_SHORT_DELTA = 4096 -- bytes; its event is not too long to be published

local function delta_members(turn, delta)
  return ',"message_id":"' .. reply_id(turn) .. '","delta":"' .. delta .. '"'
end

-- code: of lib/event_lines.lua
local function delta_line(code, turn, delta)
  return code .. now .. ' ' .. turn .. ' ' .. delta
end

-- In the format of read_logs, so that subscribers need not read the log.
local function events_message(first, events)
  return 'EVENTS ' .. seq .. ' ' .. first .. '\n' .. events
end
