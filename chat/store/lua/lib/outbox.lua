-- Deliveries of a session's ended turns to a webhook. `<reply>` -> "status attempts until at code
-- nonce seq":
--   status: pending, delivered, failed or disabled      attempts: tries so far
--   until: ms since the epoch before which only the bearer of the nonce acts on it
--   at: ms since the epoch of its last change           code: what the last try met with, or -
--   seq: of the event
-- `<reply>:body` -> the event, once its message is gone; `url` -> the webhook, once the session is;
-- `<reply>:request` -> the id of the request that asked for the turn.
-- Needs reply.lua.

-- Scripts that end deliveries, or forget them, have the keys of `keys.ended` behind their others.
local DELIVERED, FAILED = KEYS[17], KEYS[18]
local ENDED_KEPT = 100 -- of a partition: the newest, of each of the two

local function delivery_of(number)
  local record = redis.call('HGET', DELIVERIES, number)
  if not record then return nil end
  local status, attempts, free_at, at, code, nonce, at_seq =
    string.match(record, '^(%a+) (%d+) (%d+) (%d+) (%S+) (%S+) (%d+)$')
  return { status = status, attempts = tonumber(attempts), free_at = tonumber(free_at), at = at,
    code = code, nonce = nonce, seq = at_seq }
end

local function keep_delivery(number, d)
  redis.call('HSET', DELIVERIES, number,
    table.concat({ d.status, d.attempts, d.free_at, d.at, d.code, d.nonce, d.seq }, ' '))
end

-- The event that told of the turn's end, with the message as it is now; nil when that is gone.
local function event_of(number, d)
  local body = redis.call('HGET', DELIVERIES, number .. ':body')
  local message = not body and redis.call('HGET', MESSAGES, number)
  if not message then return body or nil end
  local _, status = state_of(message)
  return '{"type":"message.' .. status .. '","seq":' .. d.seq .. ',"session_id":"' .. ID ..
    '","created_at":' .. string.match(message, '"completed_at":([%d.]+),"reply_to"') ..
    ',"message_id":"msg_' .. number .. '","message":' .. message .. '}'
end

local function numbers_of_deliveries()
  local numbers = {}
  for _, field in ipairs(redis.call('HKEYS', DELIVERIES)) do
    if string.match(field, '^%d+$') then numbers[#numbers + 1] = field end
  end
  return numbers
end
