-- The reply of a turn as it is stored: JSON that begins with seq, status and content, so that
-- scripts read the state without decoding and splice the text without encoding.
-- Turn t has the user message 2t - 1 and the reply 2t.
local function reply_id(turn)
  return 'msg_' .. (2 * turn)
end

local function state_of(json)
  return string.match(json or '', '^{"seq":(%d+),"status":"([%a_]+)"')
end

local function is_open(turn)
  local _, status = state_of(redis.call('HGET', MESSAGES, 2 * turn))
  return status == 'queued' or status == 'in_progress'
end

-- Store `status`, `changes` and `content` (a JSON string's inside) under the seq of the event that
-- the caller logs next; gives the stored JSON.
local function write_reply(turn, status, changes, content)
  local reply = cjson.decode(redis.call('HGET', MESSAGES, 2 * turn))
  for name, value in pairs(changes) do reply[name] = value end
  reply.seq, reply.status, reply.content = nil, nil, nil
  local json = '{"seq":' .. (seq + 1) .. ',"status":"' .. status .. '","content":"' .. content ..
    '",' .. string.sub(cjson.encode(reply), 2)
  redis.call('HSET', MESSAGES, 2 * turn, json)
  return json
end

-- Partial text of the running reply from `offset` (bytes) on: what `fragment` adds to it.
local function unsaid(offset, fragment)
  return string.sub(fragment, redis.call('STRLEN', PARTIAL) - offset + 1)
end

local function log_delta(turn, fragment)
  if fragment ~= '' then
    log('message.delta', ',"message_id":"' .. reply_id(turn) .. '","delta":"' .. fragment .. '"')
  end
end

-- The message as a client is to see it now: a running reply with its text so far, a waiting one
-- with its place. ahead: turns before it in the inbox.
local function shown(message, ahead)
  local _, status = state_of(message)
  if status == 'queued' then
    return (string.gsub(message, '"position":%d+', '"position":' .. math.max(0, ahead), 1))
  elseif status == 'in_progress' then
    local rest = string.match(message, '^{"seq":%d+,"status":"in_progress","content":""(.*)$')
    return '{"seq":' .. seq .. ',"status":"in_progress","content":"' ..
      (redis.call('GET', PARTIAL) or '') .. '"' .. rest
  end
  return message
end
