-- The session queue: overdue turns at its head and behind it.

-- Return whether the clock may have stepped forward. Nothing must end by its time then, before a
-- worker has corrected stored times.
-- latest: ms that the clock does not exceed unless it has stepped; 0 if unknown.
local function may_have_stepped(latest)
  return tonumber(latest) > 0 and now > tonumber(latest)
end

local QUEUE_TIMEOUT_RESULT =
  error_result('turn_expired', 'The turn did not start before its deadline.')

local DEADLINE_RESULT = error_result('deadline_exceeded',
  'The reply did not end before the deadline of the turn or the total timeout of the model.')

-- Return status and result of the head, whose deadline has passed. If the model refused it without
-- using an attempt, the turn fails with the error of that refusal.
local function overdue_result(reply)
  if s.attempt > 0 then return 'failed', DEADLINE_RESULT end
  local error_json = string.match(reply, '"usage":null,"error":({.*}),"wait":')
  if not error_json then return 'expired', QUEUE_TIMEOUT_RESULT end
  return 'failed', '"finish_reason":"error","usage":null,"error":' .. error_json
end

-- Remove turns from the head that have ended, and end those past their deadline. Return reply,
-- deadline and request of the open turn that is now the head, or nil if there is none.
local function finish_overdue_turns()
  while s.head <= s.tail do
    local reply, deadline, request = read_open_turn(s.head)
    if not reply then
      set_head(s.head + 1)
    elseif deadline > now then
      return reply, deadline, request
    else
      local status, result = overdue_result(reply)
      finish_turn(s.head, status, result, '')
    end
  end
  return nil
end

-- End the turns behind `turn` that are past their deadline, and update next_deadline.
local function expire_turns_behind(turn)
  if s.next_deadline == 0 or s.next_deadline > now then return end
  set('next_deadline', 0)
  for each = turn + 1, s.tail do
    local reply, deadline = read_open_turn(each)
    if reply and deadline <= now then
      finish_turn(each, 'expired', QUEUE_TIMEOUT_RESULT, '')
    elseif reply and (s.next_deadline == 0 or deadline < s.next_deadline) then
      set('next_deadline', deadline)
    end
  end
end
