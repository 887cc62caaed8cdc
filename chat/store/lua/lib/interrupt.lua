-- Ending a turn on a client's word. Needs `s` with turn, head, attempt, retry_at.

-- Mark the running turn, whose worker reads the mark at its next sign of life, or end at once the
-- one that was begun and waits for its next attempt; true when it has ended.
local function interrupt()
  if s.turn ~= 0 then
    set('cancel', 1)
  elseif s.attempt > 0 or s.retry_at > 0 then
    settle(s.head, 'cancelled', CANCELLED, '')
    return true
  end
  return false
end
