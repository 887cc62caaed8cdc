-- Webhook deliveries of turns that end.
local MAX_DELIVERIES = 100 -- per session; older ones are dropped
local delivery_enqueued = 0 -- 1 once the script has added a delivery to the outbox

-- Add the end of a turn to the outbox, if the session or the deployment has a webhook.
-- lib/outbox.lua describes the record.
local function enqueue_delivery(turn)
  local webhook = redis.call('HMGET', SESSION, 'webhook_url', 'has_webhook')
  if (webhook[1] or 'null') == 'null' and webhook[2] ~= '1' then return end
  local request = redis.call('HGET', MESSAGES, 2 * turn .. ':request') or ''
  redis.call('HSET', DELIVERIES, 2 * turn, 'pending 0 0 ' .. now .. ' - - ' .. seq,
    2 * turn .. ':request_id', string.match(request, '"request_id":"([^"\\]*)"') or '')
  redis.call('PEXPIRE', DELIVERIES, KEY_TTL_MARGIN)
  redis.call('ZADD', OUTBOX, now, ID .. ':' .. 2 * turn)
  local old = 2 * (turn - MAX_DELIVERIES)
  redis.call('HDEL', DELIVERIES, old, old .. ':body', old .. ':request_id')
  redis.call('ZREM', OUTBOX, ID .. ':' .. old)
  delivery_enqueued = 1
end
