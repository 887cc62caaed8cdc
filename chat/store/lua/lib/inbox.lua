-- The inbox: its head, and what waits behind that.

local WAITED_TOO_LONG =
  failure('turn_expired', 'The turn waited longer than its deadline.')

local NOT_OVER =
  failure('deadline_exceeded', 'The turn was not over by its deadline.')

-- The status and the ending of the queued turn at the head, whose deadline has passed. If the model
-- has sent it back without an attempt's being used, what it said then is why it has failed.
local function overdue(reply)
  if s.attempt > 0 then return 'failed', NOT_OVER end
  local problem = string.match(reply, '"usage":null,"error":({.*}),"wait":')
  if not problem then return 'expired', WAITED_TOO_LONG end
  return 'failed', '"finish_reason":"error","usage":null,"error":' .. problem
end

-- End the turns at the head that are over: those ended while they waited are stepped over, those
-- past their deadline are expired or failed. Gives the open turn that is now the head: its reply's
-- JSON, its deadline and what it was asked with; nil if there is none.
local function settle_all_overdue()
  while s.head <= s.tail do
    local reply, deadline, ask = open_turn(s.head)
    if not reply then
      step_to(s.head + 1)
    elseif deadline > now then
      return reply, deadline, ask
    else
      local status, ending = overdue(reply)
      settle(s.head, status, ending, '')
    end
  end
  return nil
end

-- End the turns that have waited beyond their deadline behind `turn`; note the others' next deadline.
local function expire_behind(turn)
  if s.soonest == 0 or s.soonest > now then return end
  set('soonest', 0)
  for each = turn + 1, s.tail do
    local reply, deadline = open_turn(each)
    if reply and deadline <= now then
      settle(each, 'expired', WAITED_TOO_LONG, '')
    elseif reply and (s.soonest == 0 or deadline < s.soonest) then
      set('soonest', deadline)
    end
  end
end
