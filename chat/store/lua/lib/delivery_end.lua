-- Deliveries that have finished. Needs outbox.lua.

-- The member of DELIVERED or FAILED, which outlives the session.
local function finished_record(number, d)
  return table.concat({ ID .. ':' .. number, d.status, d.attempts, d.code }, ' ')
end

local function record_finished(number, d)
  local key = d.status == 'delivered' and DELIVERED or FAILED
  redis.call('ZADD', key, now, finished_record(number, d))
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - KEY_TTL_MARGIN)
  redis.call('ZREMRANGEBYRANK', key, 0, -MAX_FINISHED - 1)
  redis.call('PEXPIRE', key, KEY_TTL_MARGIN)
end

-- Remove a finished delivery from the outbox. If the session is gone, delete the delivery as well.
local function finish_delivery(number, d)
  redis.call('ZREM', OUTBOX, ID .. ':' .. number)
  record_finished(number, d)
  redis.call('HDEL', DELIVERIES, number .. ':body')
  if s.schema then return write_delivery(number, d) end
  redis.call('HDEL', DELIVERIES, number, number .. ':request_id')
  if redis.call('HLEN', DELIVERIES) <= 1 then redis.call('UNLINK', DELIVERIES) end
end
