-- Ending a turn on a client's word. Needs turns.lua, reply.lua, and `s` with turn, head, attempt, retry_at.

-- Whether the head has been taken before: sent back by its model's gate it has neither an attempt
-- nor a time for the next one.
local function was_taken()
  local reply = open_turn(s.head)
  return reply and open_reply(reply).started_at ~= 'null'
end

-- Mark the running turn, whose worker reads the mark at its next sign of life, or end at once the
-- one that was begun and waits for its next attempt; true when it has ended.
local function interrupt()
  if s.turn ~= 0 then
    set('cancel', 1)
  elseif s.attempt > 0 or s.retry_at > 0 or was_taken() then
    settle(s.head, 'cancelled', CANCELLED, '')
    return true
  end
  return false
end
