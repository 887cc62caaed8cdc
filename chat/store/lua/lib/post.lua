-- Telling a webhook of the end of a turn: `settle` leaves that to the outbox.
local DELIVERIES_KEPT = 100 -- newest turns of a session
local posted = 0 -- 1 when the outbox has got something

-- Put the turn's end in the outbox, if the session or the deployment has a webhook to tell it to.
-- The form of the record stands in outbox.lua.
local function post(turn)
  local hook = redis.call('HMGET', SESSION, 'webhook_url', 'tells')
  if (hook[1] or 'null') == 'null' and hook[2] ~= '1' then return end
  local ask = redis.call('HGET', MESSAGES, 2 * turn .. ':ask') or ''
  redis.call('HSET', DELIVERIES, 2 * turn, 'pending 0 0 ' .. now .. ' - - ' .. seq,
    2 * turn .. ':request', string.match(ask, '"request_id":"([^"\\]*)"') or '')
  redis.call('PEXPIRE', DELIVERIES, MARGIN)
  redis.call('ZADD', OUTBOX, now, ID .. ':' .. 2 * turn)
  local old = 2 * (turn - DELIVERIES_KEPT)
  redis.call('HDEL', DELIVERIES, old, old .. ':body', old .. ':request')
  redis.call('ZREM', OUTBOX, ID .. ':' .. old)
  posted = 1
end
