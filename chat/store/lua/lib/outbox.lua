-- Webhook deliveries of a session. Needs message_json.lua.
--
-- KEYS[22]   zset: finished deliveries that succeeded, see lib/delivery_end.lua
-- KEYS[23]   zset: finished deliveries that failed
--              both only in scripts that finish or delete deliveries
--
-- Fields of the hash DELIVERIES:
--   <reply>              "status attempts due_at at code nonce seq"
--       status        pending, delivered, failed or disabled
--       attempts      attempts so far
--       due_at        ms before which only the holder of the nonce acts on the delivery
--       at            ms of the last change
--       code          result of the last attempt: an HTTP status or a word, or -
--       nonce         of the attempt in progress, or -
--       seq           of the event
--   <reply>:body         the event, once its message is deleted
--   <reply>:request_id   id of the request that submitted the turn
--   url                  the session's webhook URL, once the session is deleted
local DELIVERED, FAILED = KEYS[22], KEYS[23]
local MAX_FINISHED = 100 -- newest members kept in each of the two

local function read_delivery(number)
  local record = redis.call('HGET', DELIVERIES, number)
  if not record then return nil end
  local status, attempts, due_at, at, code, nonce, at_seq =
    string.match(record, '^(%a+) (%d+) (%d+) (%d+) (%S+) (%S+) (%d+)$')
  return { status = status, attempts = tonumber(attempts), due_at = tonumber(due_at), at = at,
    code = code, nonce = nonce, seq = at_seq }
end

local function write_delivery(number, d)
  redis.call('HSET', DELIVERIES, number,
    table.concat({ d.status, d.attempts, d.due_at, d.at, d.code, d.nonce, d.seq }, ' '))
end

-- Return the event of the turn's end with the current message, or nil if the message is gone.
local function delivery_event(number, d)
  local body = redis.call('HGET', DELIVERIES, number .. ':body')
  local message = not body and redis.call('HGET', MESSAGES, number)
  if not message then return body or nil end
  local _, status = message_state(message)
  return '{"type":"message.' .. status .. '","seq":' .. d.seq .. ',"session_id":"' .. ID ..
    '","created_at":' .. string.match(message, '"completed_at":([%d.]+),"reply_to"') ..
    ',"message_id":"msg_' .. number .. '","message":' .. message .. '}'
end

local function delivery_numbers()
  local numbers = {}
  for _, field in ipairs(redis.call('HKEYS', DELIVERIES)) do
    if string.match(field, '^%d+$') then numbers[#numbers + 1] = field end
  end
  return numbers
end
