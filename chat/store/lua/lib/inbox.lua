-- The inbox: its head, and what waits behind that.

local WAITED_TOO_LONG =
  failure('turn_expired', 'The turn waited longer than its deadline.')

-- Why a turn that is queued was sent back, as JSON; nil when no model has refused it.
local function problem_of(reply)
  return string.match(reply, '"usage":null,"error":({.*}),"wait":')
end

-- End the turns at the head that are over: those ended while they waited are stepped over, those
-- past their deadline are expired, or failed if they had been begun or a model has refused them. Gives the open turn that is
-- now the head: its reply's JSON, its deadline and what it was asked with; nil if there is none.
local function settle_all_overdue()
  while s.head <= s.tail do
    local reply, deadline, ask = open_turn(s.head)
    if not reply then
      step_to(s.head + 1)
    elseif deadline > now then
      return reply, deadline, ask
    elseif s.attempt == 0 and problem_of(reply) then
      settle(s.head, 'failed', '"finish_reason":"error","usage":null,"error":' .. problem_of(reply),
        '')
    elseif s.attempt == 0 then
      settle(s.head, 'expired', WAITED_TOO_LONG, '')
    else
      settle(s.head, 'failed', failure('deadline_exceeded',
        'The turn was not over by its deadline.'), '')
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
