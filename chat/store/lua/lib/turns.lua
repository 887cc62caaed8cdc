-- Turns that have not ended. Needs `s` with turn, waiting.

-- Waiting turns are counted for the session's limit and for the partition's. A session in which some
-- wait and none runs is listed with the moment since when it does, ms.
local function count_waiting(change, since)
  set('waiting', s.waiting + change)
  redis.call('HINCRBY', COUNTS, 'waiting', change)
  if s.waiting == 0 then
    redis.call('ZREM', WAITING, ID)
  elseif s.turn == 0 then
    redis.call('ZADD', WAITING, 'LT', since or now, ID)
  end
end

-- A turn that has not ended: its reply's JSON, its deadline (ms since the epoch) and what it was
-- asked with. Nil for one that has.
local function open_turn(turn)
  local found = redis.call('HMGET', MESSAGES, 2 * turn, 2 * turn .. ':ask')
  if not found[2] then return nil end
  local deadline, ask = string.match(found[2], '^(%d+) (.*)$')
  return found[1], tonumber(deadline), ask
end
