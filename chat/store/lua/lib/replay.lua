-- Answering a repeated request for a turn as it was answered at first. Needs `s` with turn, waiting,
-- and what accept.lua gives.

-- 1 when no worker need be told. A request that is repeated may never have come to telling one.
local function awake()
  return (s.turn ~= 0 or s.waiting == 0) and 1 or 0
end

-- What the answer can be built of again. seq_then: the seq that the reply bore.
local function for_replay(turn, prompt, position, at, seq_then)
  return table.concat({ turn, prompt, position, at, seq_then }, ' ')
end

-- A reply that went with its history: nobody is to wait for it.
local function cleared(turn, json, at)
  local reply = open_reply(json)
  reply.completed_at = seconds(at)
  return reply_json(turn, 'cancelled', '', reply, CANCELLED .. ',"wait":null')
end

local function replay(answer)
  local turn, prompt, position, at, seq_then =
    string.match(answer, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  if not turn then return { 'MISMATCH' } end -- the key was another act's
  seq = seq_then - 1
  local reply = queued_reply(tonumber(turn), prompt, position, at)
  local message = redis.call('HGET', MESSAGES, prompt) or 'null'
  if message == 'null' then reply = cleared(tonumber(turn), reply, at) end
  return { 'REPLAYED', message, reply, tonumber(position), awake() }
end
