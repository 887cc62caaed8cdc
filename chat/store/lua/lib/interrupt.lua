-- Ending a turn on a client's word. Needs `s` with turn, head, attempt.
local CANCELLED = { finish_reason = 'cancelled' }

-- Mark the running turn, whose worker reads the mark at its next sign of life, or end at once the
-- one that was begun and waits for its next attempt.
local function interrupt()
  if s.turn ~= 0 then
    redis.call('HSET', SESSION, 'cancel', 1)
  elseif s.attempt > 0 and is_open(s.head) then
    settle(s.head, 'cancelled', CANCELLED, '')
  end
end
