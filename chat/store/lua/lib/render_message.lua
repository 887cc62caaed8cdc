-- Messages as clients see them. Needs `s` with head, tail.

local positions -- open turn -> turns ahead of it

local function position_of(turn)
  if not positions then
    positions = {}
    local ahead = 0
    for each = s.head, s.tail do
      if redis.call('HEXISTS', MESSAGES, 2 * each .. ':request') == 1 then
        positions[each], ahead = ahead, ahead + 1
      end
    end
  end
  return positions[turn]
end

-- Return a running reply with its partial text, a waiting one with its position in the session
-- queue, and any other message as stored.
local function render_message(number, message)
  local _, status = message_state(message)
  if status == 'queued' then
    local position = '"position":' .. position_of(number / 2) .. '},"feedback":'
    return (string.gsub(message, '"position":%d+},"feedback":', position))
  elseif status == 'in_progress' then
    local rest = string.match(message, '^{"seq":%d+,"status":"in_progress","content":""(.*)$')
    return '{"seq":' .. seq .. ',"status":"in_progress","content":"' ..
      (redis.call('GET', PARTIAL) or '') .. '"' .. rest
  end
  return message
end
