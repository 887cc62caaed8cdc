-- Ends of a turn. Needs `s` with turn, head, tail, waiting, attempt.

-- Waiting turns are counted for the session's limit and for the partition's.
local function count_waiting(change)
  s.waiting = redis.call('HINCRBY', SESSION, 'waiting', change)
  redis.call('HINCRBY', COUNTS, 'waiting', change)
end

local function step_to(turn)
  s.head, s.attempt, s.retry_at = turn, 0, 0
  redis.call('HSET', SESSION, 'head', turn, 'attempt', 0, 'retry_at', 0)
end

local function failure(code, message)
  return { finish_reason = 'error', error = { code = code, message = message } }
end

-- Give the reply of `turn` its one terminal state and take the turn out of the inbox.
-- changes: finish_reason, usage, error as they are to stand in the reply.
local function settle(turn, status, changes, content)
  changes.completed_at = tonumber(seconds(now))
  changes.wait = cjson.null
  local json = write_reply(turn, status, changes, content)
  redis.call('HDEL', MESSAGES, 2 * turn .. ':ask')
  log('message.' .. status, ',"message_id":"' .. reply_id(turn) .. '","message":' .. json)
  redis.call('HINCRBY', COUNTS, status, 1)
  redis.call('HINCRBY', SESSION, 'bytes', #content)
  if turn == s.turn then
    redis.call('HINCRBY', COUNTS, 'running', -1)
  else
    count_waiting(-1)
  end
  if turn == s.head then step_to(turn + 1) end
  return json
end

-- End the lease of the running turn.
local function release()
  redis.call('HSET', SESSION, 'turn', 0, 'nonce', '', 'worker', '', 'lease', 0, 'cancel', 0)
  redis.call('DEL', PARTIAL)
  s.turn = 0
end

-- When the turn must be over, ms since the epoch.
local function deadline_of(turn)
  return tonumber(string.match(redis.call('HGET', MESSAGES, 2 * turn .. ':ask'), '^%d+'))
end

-- End the turns at the head of the inbox that are over: those ended while they waited are stepped
-- over, those past their deadline are expired, or failed if they had been begun.
local function settle_all_overdue()
  while s.head <= s.tail do
    if not is_open(s.head) then
      step_to(s.head + 1)
    elseif deadline_of(s.head) > now then
      return
    elseif s.attempt == 0 then
      settle(s.head, 'expired', failure('turn_expired',
        'The turn waited longer than its deadline.'), '')
    else
      settle(s.head, 'failed', failure('deadline_exceeded',
        'The turn was not over by its deadline.'), '')
    end
  end
end
