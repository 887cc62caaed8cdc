-- The rate of changes: what clients write in addition to messages, such as fields, feedback and
-- tickets. Needs `s` with changes_tat.
-- include: rate

-- Count a change. Return ms until it is allowed, and 0 if it is allowed now.
-- interval: ms between changes at the steady rate, 0 for no limit. burst: changes.
local function count_change(interval, burst)
  local tat, wait_ms = check_rate(s.changes_tat, interval, burst, 1)
  if wait_ms == 0 then set('changes_tat', tat) end
  return wait_ms
end
