-- Counters for the metrics and the operations page. COUNTERS never resets. LAST_HOUR has outcomes
-- per minute and latencies per ten minutes.
-- include: last_hour

-- What `append` and `finish` count, they return to the worker, see chat/store/counters.py: a table of
-- "<increment> <field>". The other scripts write it; for them this is nil.
local returned

-- Increment a counter of the current interval of `minutes`.
local function count_last_hour(name, minutes)
  local minute = math.floor(now / 60000)
  local field = minute - minute % minutes .. ':' .. name
  if not returned then return add_last_hour(LAST_HOUR, field, 1) end
  returned[#returned + 1] = '1 ' .. field
end

local function increment(name, by)
  if not returned then return redis.call('HINCRBY', COUNTERS, name, by) end
  returned[#returned + 1] = by .. ' ' .. name
end

-- name: queue, time_to_first_token or turn. start, stop: seconds since the epoch.
local function record_latency(name, start, stop)
  -- Upper bounds of the buckets, ms, as in chat/store/metrics.py.
  local BUCKETS_MS = { 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 60000, 120000,
    300000, 900000 }
  local ms = math.max(0, math.floor((stop - start) * 1000 + 0.5))
  local bucket = 'inf'
  for _, bound in ipairs(BUCKETS_MS) do
    if ms <= bound then
      bucket = bound
      break
    end
  end
  increment(name .. ':' .. bucket, 1)
  increment(name .. ':sum', ms)
  count_last_hour(name .. ':' .. bucket, 10)
end

-- Record the time to first token of an attempt. Needs `s` with partial_bytes, started_at.
local function record_first_token()
  if s.partial_bytes > 0 then return end
  record_latency('time_to_first_token', s.started_at / 1000, now / 1000)
end

-- Count a turn that has ended. Return the code of its error, or nil.
-- result: finish_reason, usage and error, as JSON members.
local function count_finished_turn(status, reply, result)
  increment('turns:' .. status .. ':' .. reply.model, 1)
  count_last_hour(status, 1)
  if reply.started_at ~= 'null' then record_latency('queue', reply.created_at, reply.started_at) end
  record_latency('turn', reply.created_at, now / 1000)
  local error_code = string.match(result, '^"finish_reason":.-,"error":{"code":"([%w_]+)"')
  if error_code then increment('errors:' .. error_code, 1) end
  return error_code
end
