-- New turns. Needs session_bytes.lua, and `s` with running_turn, waiting, lease_until, retry_at,
-- next_deadline.

local function is_queue_full(max_waiting)
  return tonumber(redis.call('HGET', COUNTS, 'waiting') or 0) >= tonumber(max_waiting)
end

-- Return the JSON of a reply that waits behind `position` turns.
local function queued_reply_json(turn, prompt, position, at)
  local reply = { created_at = format_seconds(at), started_at = 'null', completed_at = 'null',
    prompt = prompt, attempt = 0, model = 'null' }
  return reply_json(turn, 'queued', '', reply, wait_result('queue', 'null', position, 'null'))
end

-- Append a turn to the session queue, and log it. Return its reply and the number of turns ahead.
-- request: options and request id, JSON. message: JSON of the user message, if it is new.
local function enqueue_turn(turn, prompt, request, deadline, message)
  local position = s.waiting + (s.running_turn ~= 0 and 1 or 0)
  local reply = queued_reply_json(turn, prompt, position, now)
  local entries = { 2 * turn, reply, 2 * turn .. ':request', deadline .. ' ' .. request }
  if message then entries[5], entries[6] = prompt, message end
  add_bytes(#reply + #(message or ''))
  redis.call('HSET', MESSAGES, unpack(entries))
  set('tail', turn)
  set('next_deadline', s.waiting > 0 and s.next_deadline > 0 and
    math.min(s.next_deadline, deadline) or deadline)
  if position > 0 and deadline < (s.running_turn ~= 0 and s.lease_until or s.retry_at) then
    set_due(deadline)
  end
  change_waiting(1)
  redis.call('HINCRBY', COUNTS, 'accepted', 1)
  append_event('message.queued', ',"message_id":"' .. reply_id(turn) .. '"' ..
    (message and ',"message":' .. message or '') .. ',"reply":' .. reply)
  return reply, position
end
