-- Requeueing of the running turn. Needs `s` with attempt, bytes, and what finish_turn.lua needs.

-- Put the running turn back at the head of the session queue, and drop its text.
-- error_json: the error that caused it, or 'null'. model: of the next attempt, JSON string, or nil
-- for no change. ahead: sessions that call the model before, or nil.
local function requeue_turn(retry_at, reason, error_json, model, ahead)
  local turn = s.running_turn
  local open = redis.call('HGET', MESSAGES, 2 * turn)
  local reply = parse_open_reply(open)
  count_attempt_usage(reply.model)
  reply.attempt, reply.model = s.attempt, model or reply.model
  local json = reply_json(turn, 'queued', '', reply,
    wait_result(reason, format_seconds(retry_at), 0, error_json, ahead))
  redis.call('HSET', MESSAGES, 2 * turn, json)
  set('bytes', s.bytes + #json - #open)
  release_lease()
  redis.call('HINCRBY', COUNTS, 'running', -1)
  change_waiting(1, math.floor(reply.created_at * 1000))
  increment('requeues:' .. reason, 1)
  set('retry_at', retry_at)
  append_event('message.restarted', ',"message_id":"' .. reply_id(turn) .. '","message":' .. json)
end
