-- The messages of a snapshot, limited in bytes. Needs `s` with first_message, tail, running_turn, bytes.
-- include: message_json render_message

local BATCH = 8 -- messages that are read at once if the session may exceed the limit

-- Call visit(number, json) for each message, newest first, until it returns true.
local function each_newest_first(from, last, batch, visit)
  for high = last, from, -batch do
    local low = math.max(from, high - batch + 1)
    local numbers = {}
    for number = low, high do numbers[#numbers + 1] = number end
    local found = redis.call('HMGET', MESSAGES, unpack(numbers))
    for i = #found, 1, -1 do
      if found[i] and visit(low + i - 1, found[i]) then return end
    end
  end
end

-- Keep the earliest changes, up to max_bytes. Messages that one event changed are kept together.
local function cut_latest_changes(messages, max_bytes)
  table.sort(messages, function(a, b) return a.changed_at < b.changed_at end)
  local bytes, kept = 0, #messages
  for i, message in ipairs(messages) do
    bytes = bytes + #message.json
    if bytes > max_bytes and i > 1 and message.changed_at > messages[i - 1].changed_at then
      kept = i - 1
      break
    end
  end
  local is_cut = kept < #messages
  for i = #messages, kept + 1, -1 do messages[i] = nil end
  table.sort(messages, function(a, b) return a.number > b.number end)
  return is_cut
end

-- Return the messages that changed after a seq (-1: all), newest first; the number at which the
-- window begins; and whether messages are left out. stop_if_over: end at the first of these.
local function changed_messages(from, last, after, max_bytes, stop_if_over)
  local batch = s.bytes > max_bytes and BATCH or math.max(1, last - from + 1)
  local messages, bytes, is_over = {}, 0, false
  each_newest_first(from, last, batch, function(number, json)
    local is_running = number == 2 * s.running_turn
    local changed_at = is_running and seq or tonumber((message_state(json)))
    if changed_at <= after then return end
    json = render_message(number, json)
    bytes = bytes + #json
    is_over = bytes > max_bytes
    if is_over and (stop_if_over or after < 0 and messages[1]) then
      from = number + 1
      return true
    end
    messages[#messages + 1] = { number = number, changed_at = changed_at, json = json }
  end)
  if not is_over or stop_if_over then return messages, from, is_over end
  return messages, from, after < 0 or cut_latest_changes(messages, max_bytes)
end

local function latest_change(messages)
  local latest = 0
  for _, message in ipairs(messages) do latest = math.max(latest, message.changed_at) end
  return latest
end
