-- Deliveries of sessions whose messages are deleted. Needs outbox.lua.

-- Store the events of pending deliveries, so that they outlive the messages.
-- is_end: the session is removed as well.
local function keep_pending_deliveries(is_end)
  local url = redis.call('HGET', SESSION, 'webhook_url') or 'null'
  for _, number in ipairs(delivery_numbers()) do
    local d = read_delivery(number)
    local event = delivery_event(number, d)
    if d.status == 'pending' and event then
      redis.call('HSET', DELIVERIES, number .. ':body', event)
      if is_end then redis.call('HSET', DELIVERIES, 'url', url) end
    elseif is_end then
      redis.call('HDEL', DELIVERIES, number, number .. ':request_id')
    end
  end
end

-- Delete all deliveries of the session.
local function delete_deliveries()
  for _, number in ipairs(delivery_numbers()) do
    redis.call('ZREM', OUTBOX, ID .. ':' .. number)
  end
  redis.call('UNLINK', DELIVERIES)
  local prefix = ID .. ':'
  for _, key in ipairs({ DELIVERED, FAILED }) do
    for _, record in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      if string.sub(record, 1, #prefix) == prefix then redis.call('ZREM', key, record) end
    end
  end
end
