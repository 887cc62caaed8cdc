-- What has happened, for metrics and for the operations page. TALLY adds it up for ever; RECENT has
-- the last hour, by the minute, and latencies by ten minutes.
local HOUR = 60 -- minutes

-- Upper bounds of the buckets of a latency, ms. chat/store/metrics.py has the same.
local BOUNDS = { 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 60000, 120000,
  300000, 900000 }

local function forget_before(minute)
  for _, field in ipairs(redis.call('HKEYS', RECENT)) do
    if tonumber(string.match(field, '^%d+')) < minute then redis.call('HDEL', RECENT, field) end
  end
end

-- Count one more of `what` in the span of `minutes` that this moment is in.
local function count_recent(what, minutes)
  local minute = math.floor(now / 60000)
  local begun = minute - minute % minutes
  if redis.call('HINCRBY', RECENT, begun .. ':' .. what, 1) > 1 then return end
  forget_before(minute - HOUR)
  redis.call('EXPIRE', RECENT, 2 * HOUR * 60)
end

local function tally(what, by)
  redis.call('HINCRBY', TALLY, what, by)
end

-- what: queue, first_delta or turn. since, till: seconds since the epoch.
local function tally_latency(what, since, till)
  local ms = math.max(0, math.floor((till - since) * 1000 + 0.5))
  local bucket = 'inf'
  for _, bound in ipairs(BOUNDS) do
    if ms <= bound then
      bucket = bound
      break
    end
  end
  tally(what .. ':' .. bucket, 1)
  tally(what .. ':sum', ms)
  count_recent(what .. ':' .. bucket, 10)
end

-- The first text of an attempt. Needs `s` with said, started.
local function tally_first_delta()
  if s.said == 0 then tally_latency('first_delta', s.started / 1000, now / 1000) end
end

-- The end of a turn. ending: finish_reason, usage and error, as JSON members.
local function tally_end(status, reply, ending)
  tally('turns:' .. status .. ':' .. reply.model, 1)
  count_recent(status, 1)
  if reply.started_at ~= 'null' then tally_latency('queue', reply.created_at, reply.started_at) end
  tally_latency('turn', reply.created_at, now / 1000)
  local error_code = string.match(ending, '^"finish_reason":.-,"error":{"code":"([%w_]+)"')
  if error_code then tally('errors:' .. error_code, 1) end
end
