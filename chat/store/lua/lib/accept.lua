-- Taking a turn in. Needs `s` with turn, waiting, tat, lease, retry_at, soonest.

-- The session's own pace, by GCRA (ITU-T I.371; the wording is Brandur Leach's): `tat` is the time
-- at which a steady stream would post next. Gives the `tat` after this message, and ms until one may
-- pass.
local function pace(interval, burst)
  local tat = math.max(s.tat, now)
  local early = interval == '0' and 0 or tat - now - (burst - 1) * interval
  return tat + interval, math.max(0, math.ceil(early))
end

local function queue_is_full(most)
  return tonumber(redis.call('HGET', COUNTS, 'waiting') or 0) >= tonumber(most)
end

-- The message JSON of a reply that waits behind `position` turns.
local function queued_reply(turn, prompt, position, at)
  local reply = { created_at = seconds(at), started_at = 'null', completed_at = 'null',
    prompt = prompt, attempt = 0, model = 'null' }
  return reply_json(turn, 'queued', '', reply, waits('queue', 'null', position, 'null'))
end

-- Put a new turn in the inbox and log it; gives its reply and the number of turns ahead of it.
-- ask: what the turn was asked with, JSON. message: JSON of its user message, if that is new.
local function enqueue(turn, prompt, ask, deadline, message)
  local position = s.waiting + (s.turn ~= 0 and 1 or 0)
  local reply = queued_reply(turn, prompt, position, now)
  local entries = { 2 * turn, reply, 2 * turn .. ':ask', deadline .. ' ' .. ask }
  if message then entries[5], entries[6] = prompt, message end
  redis.call('HSET', MESSAGES, unpack(entries))
  set('tail', turn)
  set('soonest', s.waiting > 0 and s.soonest > 0 and math.min(s.soonest, deadline) or deadline)
  if position > 0 and deadline < (s.turn ~= 0 and s.lease or s.retry_at) then due_at(deadline) end
  count_waiting(1)
  redis.call('HINCRBY', COUNTS, 'accepted', 1)
  log('message.queued', ',"message_id":"' .. reply_id(turn) .. '"' ..
    (message and ',"message":' .. message or '') .. ',"reply":' .. reply)
  return reply, position
end
