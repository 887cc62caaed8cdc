-- Deliveries that are over. Needs outbox.lua.

-- How an ended delivery is told of when its session may be gone.
local function ending_of(number, d)
  return table.concat({ ID .. ':' .. number, d.status, d.attempts, d.code }, ' ')
end

local function tell_end(number, d)
  local key = d.status == 'delivered' and DELIVERED or FAILED
  redis.call('ZADD', key, now, ending_of(number, d))
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - MARGIN)
  redis.call('ZREMRANGEBYRANK', key, 0, -ENDED_KEPT - 1)
  redis.call('PEXPIRE', key, MARGIN)
end

-- Take a delivery that is over out of the outbox. With the session gone nobody will look at it.
local function end_delivery(number, d)
  redis.call('ZREM', OUTBOX, ID .. ':' .. number)
  tell_end(number, d)
  redis.call('HDEL', DELIVERIES, number .. ':body')
  if s.v then return keep_delivery(number, d) end
  redis.call('HDEL', DELIVERIES, number, number .. ':request')
  if redis.call('HLEN', DELIVERIES) <= 1 then redis.call('UNLINK', DELIVERIES) end
end
