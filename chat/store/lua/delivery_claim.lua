#!lua flags=allow-oom
-- Give a worker the right to try a delivery, and what it has to send.
-- include: session reply outbox ended
--
-- ARGV[4] number of the reply    ARGV[5] nonce of this try    ARGV[6] ms that the right stands
-- ARGV[7] 1 when the deployment has a webhook of its own
--
-- CLAIMED attempt now (ms) url event request-id   (url: JSON string; null for the deployment's own)
-- OVER: there is nothing to deliver | WAITING: another try is on, or not yet due
read('v', 'webhook_url')
local number = ARGV[4]
local d = delivery_of(number)
if not d or d.status ~= 'pending' then
  redis.call('ZREM', OUTBOX, ID .. ':' .. number)
  return { 'OVER' }
end
local is_again = d.nonce == ARGV[5]
if d.free_at > now and not is_again then
  redis.call('ZADD', OUTBOX, d.free_at, ID .. ':' .. number)
  return { 'WAITING' }
end

local url = s.webhook_url or redis.call('HGET', DELIVERIES, 'url') or 'null'
local event = event_of(number, d)
if not event or (url == 'null' and ARGV[7] ~= '1') then
  d.status, d.nonce, d.at = 'disabled', '-', now
  end_delivery(number, d)
  return { 'OVER' }
end
if not is_again then d.attempts = d.attempts + 1 end
d.free_at, d.at, d.nonce = now + ARGV[6], now, ARGV[5]
keep_delivery(number, d)
redis.call('ZADD', OUTBOX, d.free_at, ID .. ':' .. number)
return { 'CLAIMED', d.attempts, now, url, event,
  redis.call('HGET', DELIVERIES, number .. ':request') or '' }
