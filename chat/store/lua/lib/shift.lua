-- Times that were stored before the clock stepped, for scripts that correct them. A time of 0 means
-- none.
-- include: clock
--
-- step       ms by which the clock has stepped, negative for a step back
-- since      ms; identifies the step. After a step forward, all earlier times were stored before it

-- Return a function that shifts a time, ms, by `step` ms if it was stored before the step. To repeat
-- it changes nothing.
-- Back: other times are less than half a step ahead, unless they are far in the future.
-- Forward: times from `since` on are left as they are. They are at most too early, by the step.
local function shift_by(step, since)
  return function(ms)
    if step < 0 then return ms > now - step / 2 and ms + step or ms end
    return ms > 0 and ms < since and math.max(ms + step, since) or ms
  end
end

-- Return the same for times that must not be too early. They are shifted forward whenever they were
-- stored, but not beyond `max` ms from now, where a new one would be. To repeat it may change them.
local function extend_by(step, since)
  if step < 0 then return shift_by(step, since) end
  return function(ms, max)
    return ms > 0 and math.max(ms, math.min(ms + step, now + max)) or ms
  end
end
