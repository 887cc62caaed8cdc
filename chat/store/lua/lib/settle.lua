-- Ends of a turn. Needs turns.lua, tokens.lua, and `s` with turn, head, tail, waiting, attempt, said, bytes.

local function step_to(turn)
  set('head', turn)
  set('attempt', 0)
  set('retry_at', 0)
end

-- finish_reason, usage and error, as JSON members.
local CANCELLED = '"finish_reason":"cancelled","usage":null,"error":null'
local function failure(code, message)
  return '"finish_reason":"error","usage":null,"error":{"code":"' .. code .. '","message":"' ..
    message .. '"}'
end

-- Give the reply of an open turn its one terminal state and take the turn out of the inbox.
-- ending: finish_reason, usage and error, as JSON members. model: JSON text, or nil to leave it.
local function settle(turn, status, ending, content, model)
  local reply = open_reply(redis.call('HGET', MESSAGES, 2 * turn))
  reply.completed_at, reply.model = seconds(now), model or reply.model
  ending = told_of_took(ending)
  local json = reply_json(turn, status, content, reply, ending .. ',"wait":null')
  redis.call('HSET', MESSAGES, 2 * turn, json)
  log('message.' .. status, ',"message_id":"' .. reply_id(turn) .. '","message":' .. json)
  tally_end(status, reply, ending)
  tally_usage(reply.model, ending)
  post(turn)
  redis.call('HDEL', MESSAGES, 2 * turn .. ':ask')
  set('bytes', s.bytes + #content)
  if turn == s.turn then
    redis.call('HINCRBY', COUNTS, 'running', -1)
  else
    count_waiting(-1)
  end
  if s.waiting == 0 and (s.turn == 0 or s.turn == turn) then
    step_to(s.tail + 1)
  elseif turn == s.head then
    step_to(turn + 1)
  end
  return json
end

-- What has been said of the running reply; it is taken away.
local function partial()
  if s.said == 0 then return '' end
  set('said', 0)
  return redis.call('GETDEL', PARTIAL) or ''
end

-- End the lease of the running turn.
local function release()
  for _, name in ipairs({ 'turn', 'lease', 'cancel' }) do set(name, 0) end
  set('nonce', '')
  set('worker', '')
  redis.call('ZREM', RUNNING, ID)
  if s.waiting > 0 then redis.call('ZADD', WAITING, now, ID) end
  partial()
end
