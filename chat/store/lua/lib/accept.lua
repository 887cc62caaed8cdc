-- Taking a turn in. Needs `s` with turn, waiting, tat.

-- The session's own pace, by GCRA (ITU-T I.371; the wording is Brandur Leach's): `tat` is the time
-- at which a steady stream would post next. Gives interval, tat, ms until the next one may pass.
local function pace(interval, burst)
  local tat = math.max(s.tat, now)
  local early = interval == '0' and 0 or tat - now - (burst - 1) * interval
  return tonumber(interval), tat, math.max(0, math.ceil(early))
end

-- The message JSON of a reply that waits behind `position` turns.
local function queued_reply(turn, prompt, position, at, seq_then)
  return '{"seq":' .. seq_then .. ',"status":"queued","content":"","id":"' .. reply_id(turn) ..
    '","role":"assistant","created_at":' .. seconds(at) .. ',"started_at":null,' ..
    '"completed_at":null,"reply_to":"msg_' .. prompt .. '","attempt":0,"model":null,' ..
    '"finish_reason":null,"usage":null,"error":null,"wait":{"reason":"queue","retry_at":null,' ..
    '"position":' .. position .. '}}'
end

-- Store the reply to message number `prompt`, put its turn in the inbox and log it.
-- ask: what the turn was asked with, JSON. message: members for the event, led by a comma.
local function enqueue(turn, prompt, ask, deadline, grace, members)
  local position = s.waiting + (s.turn ~= 0 and 1 or 0)
  local reply = queued_reply(turn, prompt, position, now, seq + 1)
  redis.call('HSET', MESSAGES, 2 * turn, reply, 2 * turn .. ':ask', deadline .. ' ' .. ask)
  redis.call('HSET', SESSION, 'tail', turn)
  count_waiting(1)
  redis.call('HINCRBY', COUNTS, 'accepted', 1)
  log('message.queued', ',"message_id":"' .. reply_id(turn) .. '"' .. members ..
    ',"reply":' .. reply)
  if position == 0 then redis.call('ZADD', DUE, now + grace, ID) end
  return reply, position
end

-- What the first answer can be built of again, and how; call it before the next event is logged.
local function for_replay(turn, prompt, position)
  return table.concat({ turn, prompt, position, now, seq }, ' ')
end

local function replay(answer)
  local turn, prompt, position, at, seq_then =
    string.match(answer, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  local message = redis.call('HGET', MESSAGES, prompt) or 'null'
  return { 'REPLAYED', message, queued_reply(tonumber(turn), prompt, position, at, seq_then),
    tonumber(position), 1 }
end
