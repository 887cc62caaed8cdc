-- Open turns. Needs `s` with running_turn, waiting.
-- include: waiting

-- Change the number of waiting turns of the session, the partition and the party. WAITING lists sessions in
-- which turns wait and none runs, by the time since when.
-- since: ms, default now.
local function change_waiting(change, since)
  set('waiting', s.waiting + change)
  count_waiting(change)
  if s.waiting == 0 then
    redis.call('ZREM', WAITING, ID)
  elseif s.running_turn == 0 then
    redis.call('ZADD', WAITING, 'LT', since or now, ID)
  end
end

-- Return reply, deadline (ms since the epoch) and request of a turn, or nil if it has ended.
local function read_open_turn(turn)
  local found = redis.call('HMGET', MESSAGES, 2 * turn, 2 * turn .. ':request')
  if not found[2] then return nil end
  local deadline, request = string.match(found[2], '^(%d+) (.*)$')
  return found[1], tonumber(deadline), request
end
