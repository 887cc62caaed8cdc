-- The end of a turn.
-- include: labels
--
-- Needs turns.lua, token_usage.lua, and `s` with running_turn, head, tail,
-- waiting, attempt, partial_bytes, bytes.
-- include: output

-- Move the head of the session queue to a turn that has not started.
local function set_head(turn)
  set('head', turn)
  set('attempt', 0)
  set('retry_at', 0)
  local reply = turn <= s.tail and redis.call('HGET', MESSAGES, 2 * turn)
  local queued_at, status = message_state(reply or '')
  if status == 'queued' then set('turn_start', tonumber(queued_at)) end
end

-- Results of turns: finish_reason, usage and error, as JSON members.
local CANCELLED_RESULT = '"finish_reason":"cancelled","usage":null,"error":null'
local function error_result(code, message)
  return '"finish_reason":"error","usage":null,"error":{"code":"' .. code .. '","message":"' ..
    message .. '"}'
end

-- Write the terminal state of an open turn's reply, and remove the turn from the session queue.
-- result: finish_reason, usage and error, as JSON members. output: see lib/output.lua. model: JSON
-- string, or nil for no change.
local function finish_turn(turn, status, result, output, model)
  local open = redis.call('HGET', MESSAGES, 2 * turn)
  local reply = parse_open_reply(open)
  reply.completed_at, reply.model = format_seconds(now), model or reply.model
  result = with_usage(result)
  local json = reply_json(turn, status, text_of(output), reply, result .. ',"wait":null')
  redis.call('HSET', MESSAGES, 2 * turn, json)
  local layout = layout_of(output)
  if layout then
    redis.call('HSET', MESSAGES, 2 * turn .. ':items', layout)
    set('has_items', 1)
  end
  append_event('message.' .. status, ',"message_id":"' .. reply_id(turn) .. '","message":' .. json,
    'e' .. now .. ' ' .. turn .. ' ' .. status)
  local error_code = count_finished_turn(status, reply, result)
  if error_code then label_failure(error_code) end
  count_usage(reply.model, result)
  enqueue_delivery(turn)
  redis.call('HDEL', MESSAGES, 2 * turn .. ':request')
  set('bytes', s.bytes + #json - #open + #(layout or ''))
  if redis.call('HINCRBY', COUNTS, owner_turns(), -1) < 0 then
    redis.call('HDEL', COUNTS, owner_turns()) -- see lib/forget_expired.lua
  end
  if turn == s.running_turn then
    redis.call('HINCRBY', COUNTS, 'running', -1)
  else
    change_waiting(-1)
  end
  if s.waiting == 0 and (s.running_turn == 0 or s.running_turn == turn) then
    set_head(s.tail + 1)
  elseif turn == s.head then
    set_head(turn + 1)
  end
  return json
end

-- Remove and return the output of the running reply.
local function pop_partial()
  if s.partial_bytes == 0 then return '' end
  set('partial_bytes', 0)
  return redis.call('GETDEL', PARTIAL) or ''
end

-- End the lease of the running turn.
local function release_lease()
  for _, name in ipairs({ 'running_turn', 'lease_until', 'cancel_requested' }) do set(name, 0) end
  for _, name in ipairs({ 'nonce', 'worker' }) do set(name, '') end
  redis.call('ZREM', RUNNING, ID)
  if s.waiting > 0 then redis.call('ZADD', WAITING, now, ID) end
  pop_partial()
end
