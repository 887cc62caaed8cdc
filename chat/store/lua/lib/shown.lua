-- Messages as clients are to see them now. Needs `s` with head, tail.

local places -- open turn -> turns ahead of it
local function place_of(turn)
  if not places then
    places = {}
    local ahead = 0
    for each = s.head, s.tail do
      if redis.call('HEXISTS', MESSAGES, 2 * each .. ':ask') == 1 then
        places[each], ahead = ahead, ahead + 1
      end
    end
  end
  return places[turn]
end

-- A running reply with its text so far, a waiting one with its place, any other as it is stored.
local function shown(number, message)
  local _, status = state_of(message)
  if status == 'queued' then
    local place = '"position":' .. place_of(number / 2) .. '},"feedback":'
    return (string.gsub(message, '"position":%d+},"feedback":', place))
  elseif status == 'in_progress' then
    local rest = string.match(message, '^{"seq":%d+,"status":"in_progress","content":""(.*)$')
    return '{"seq":' .. seq .. ',"status":"in_progress","content":"' ..
      (redis.call('GET', PARTIAL) or '') .. '"' .. rest
  end
  return message
end
