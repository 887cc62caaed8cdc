-- Putting a running turn back at the head of the inbox; what was said of it is dropped. Needs `s`
-- with turn, waiting, attempt.
local function restart(retry_at, reason, changes)
  changes.wait = { reason = reason, retry_at = tonumber(seconds(retry_at)), position = 0 }
  changes.attempt = s.attempt
  local turn = s.turn
  local reply = write_reply(turn, 'queued', changes, '')
  release()
  redis.call('HINCRBY', COUNTS, 'running', -1)
  redis.call('HSET', SESSION, 'retry_at', retry_at, 'attempt', s.attempt)
  count_waiting(1)
  log('message.restarted', ',"message_id":"' .. reply_id(turn) .. '","message":' .. reply)
end
