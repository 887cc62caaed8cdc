-- Putting a running turn back at the head of the inbox; what was said of it is dropped. Needs `s`
-- with attempt and what settle.lua needs.
-- problem: the error that caused it, JSON. model: whom to ask next, JSON, or nil to leave it.
local function restart(retry_at, reason, problem, model)
  local turn = s.turn
  local reply = open_reply(redis.call('HGET', MESSAGES, 2 * turn))
  tally_took(reply.model)
  reply.attempt, reply.model = s.attempt, model or reply.model
  local json = reply_json(turn, 'queued', '', reply, waits(reason, seconds(retry_at), 0, problem))
  redis.call('HSET', MESSAGES, 2 * turn, json)
  release()
  redis.call('HINCRBY', COUNTS, 'running', -1)
  count_waiting(1, math.floor(reply.created_at * 1000))
  tally('restarts:' .. reason, 1)
  set('attempt', s.attempt)
  set('retry_at', retry_at)
  log('message.restarted', ',"message_id":"' .. reply_id(turn) .. '","message":' .. json)
end
