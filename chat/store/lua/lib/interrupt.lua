-- Interruption of a turn by a client. Needs turns.lua, message_json.lua, and `s` with running_turn,
-- head, attempt, retry_at.

-- Whether the head has been claimed before. A turn that a limiter sent back has neither an attempt
-- nor a retry time, but a start time.
local function was_started()
  local reply = read_open_turn(s.head)
  return reply and parse_open_reply(reply).started_at ~= 'null'
end

-- Request cancellation of the running turn, or cancel at once a started turn that waits for its
-- next attempt. Return true if a turn has ended.
local function interrupt()
  if s.running_turn ~= 0 then
    set('cancel_requested', 1)
  elseif s.attempt > 0 or s.retry_at > 0 or was_started() then
    finish_turn(s.head, 'cancelled', CANCELLED_RESULT, '')
    return true
  end
  return false
end
