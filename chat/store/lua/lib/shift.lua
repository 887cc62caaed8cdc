-- Times that were stored before the clock stepped back, for scripts that correct them.
-- include: clock

-- Return a function that shifts a time, ms, into the past by `step` ms if it was stored before the
-- step. Other times are less than half a step ahead, unless they are far in the future.
local function shift_by(step)
  return function(ms)
    return ms > now + step / 2 and ms - step or ms
  end
end
