-- Events as JSON, and the number of the newest one.
local seq -- number of the newest event

-- Return a time in seconds since the epoch, as JSON. Formats of integers take half as long.
local function format_seconds(ms)
  return string.format('%d.%03d', ms / 1000, ms % 1000)
end

-- id: of the session. at: ms. members: further JSON members, each preceded by a comma.
local function event_json(type, number, id, at, members)
  return '{"type":"' .. type .. '","seq":' .. number .. ',"session_id":"' .. id ..
    '","created_at":' .. format_seconds(at) .. members .. '}'
end

local function reply_id(turn)
  return 'msg_' .. (2 * turn)
end
