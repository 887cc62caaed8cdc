-- Ends of a session, and what becomes of its deliveries. Needs outbox.lua.

-- Let what is pending outlive the session's messages, or with `is_end` the session itself.
local function keep_pending(is_end)
  local url = redis.call('HGET', SESSION, 'webhook_url') or 'null'
  for _, number in ipairs(numbers_of_deliveries()) do
    local d = delivery_of(number)
    local event = event_of(number, d)
    if d.status == 'pending' and event then
      redis.call('HSET', DELIVERIES, number .. ':body', event)
      if is_end then redis.call('HSET', DELIVERIES, 'url', url) end
    elseif is_end then
      redis.call('HDEL', DELIVERIES, number, number .. ':request')
    end
  end
end

local function forget_deliveries()
  for _, number in ipairs(numbers_of_deliveries()) do
    redis.call('ZREM', OUTBOX, ID .. ':' .. number)
  end
  redis.call('UNLINK', DELIVERIES)
  local own = ID .. ':'
  for _, key in ipairs({ DELIVERED, FAILED }) do
    for _, ending in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      if string.sub(ending, 1, #own) == own then redis.call('ZREM', key, ending) end
    end
  end
end
