-- Replies to repeated requests for a turn. Needs enqueue_turn.lua, and `s` with running_turn,
-- waiting.

-- Return 1 if the session needs no wake-up. The first request may have failed before it sent one.
local function is_awake()
  return (s.running_turn ~= 0 or s.waiting == 0) and 1 or 0
end

-- Return the data from which `replay` rebuilds the response. reply_seq: seq of the reply then.
local function pack_response(turn, prompt, position, at, reply_seq)
  return table.concat({ turn, prompt, position, at, reply_seq }, ' ')
end

-- Return a cancelled reply for a turn that a reset deleted, so that no client waits for it.
local function reset_reply_json(turn, json, at)
  local reply = parse_open_reply(json)
  reply.completed_at = format_seconds(at)
  return reply_json(turn, 'cancelled', '', reply, CANCELLED_RESULT .. ',"wait":null')
end

local function replay(response)
  local turn, prompt, position, at, reply_seq =
    string.match(response, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  if not turn then return { 'IDEMPOTENCY_MISMATCH' } end -- the key was used for another operation
  seq = reply_seq - 1
  local reply = queued_reply_json(tonumber(turn), prompt, position, at)
  local message = redis.call('HGET', MESSAGES, prompt) or 'null'
  if message == 'null' then reply = reset_reply_json(tonumber(turn), reply, at) end
  return { 'REPLAYED', message, reply, tonumber(position), is_awake() }
end
