-- Messages as clients see them. Needs `s` with head, tail, has_items.
-- include: output

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

-- Return a message with its items, if it has a layout.
local function with_items(json, layout)
  if not layout then return json end
  local head, from = string.match(json, '^({"seq":%d+,"status":"[%a_]+",)"content":"()')
  local text = string.sub(json, from, string.find(json, '","id":"msg_', from, true) - 1)
  return head .. '"items":[' .. items_json(layout, text) .. '],' .. string.sub(json, #head + 1)
end

-- Return a running reply with its partial text, a waiting one with its position in the session
-- queue, and any other message as stored. Replies with reasoning have items.
local function render_message(number, message)
  local _, status = message_state(message)
  if status == 'queued' then
    local position = '"position":' .. position_of(number / 2) .. '},"feedback":'
    return (string.gsub(message, '"position":%d+},"feedback":', position))
  elseif status == 'in_progress' then
    local rest = string.match(message, '^{"seq":%d+,"status":"in_progress","content":""(.*)$')
    local output = redis.call('GET', PARTIAL) or ''
    return with_items('{"seq":' .. seq .. ',"status":"in_progress","content":"' ..
      text_of(output) .. '"' .. rest, layout_of(output))
  end
  if s.has_items == 0 or number % 2 == 1 then return message end
  return with_items(message, redis.call('HGET', MESSAGES, number .. ':items'))
end
