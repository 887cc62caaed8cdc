-- Rate limits: GCRA, the generic cell rate algorithm (ITU-T I.371). A limiter stores one number per
-- limit: the theoretical arrival time (`tat`), ms, at which its calls so far would have arrived at
-- the steady rate. chat/domain/rates.py has those of one process.
-- include: clock

-- Return `tat` after a call, and ms until the call is allowed; 0 if it is allowed now.
-- tat: stored, or nil. interval: ms per unit at the steady rate, 0 for no limit. burst, cost: units.
-- max_cost: of stored calls, if they may cost more than the burst. Such a call is allowed when all
-- earlier ones have been paid for.
local function check_rate(tat, interval, burst, cost, max_cost)
  interval = tonumber(interval)
  if interval == 0 then return now, 0 end
  local ahead = math.max(0, tonumber(tat or 0) - now)
  local burst_ms, cost_ms = burst * interval, cost * interval
  -- No call puts `tat` further ahead than this: the clock has stepped back, or the limit has
  -- changed. The call is allowed, because nothing is stored for one that must wait.
  if ahead > math.max(burst_ms, (max_cost or 0) * interval) + 1 then
    ahead = math.max(0, burst_ms - cost_ms)
  end
  local early = math.min(ahead, ahead + cost_ms - burst_ms)
  return now + ahead + cost_ms, math.max(0, math.floor(early + 0.5))
end
