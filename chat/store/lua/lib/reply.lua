-- Messages as they are stored: JSON whose members stand in a fixed order, so that scripts
-- read and splice it as text. Turn t has the user message 2t - 1 and the reply 2t.
local function reply_id(turn)
  return 'msg_' .. (2 * turn)
end

local function state_of(json)
  return string.match(json, '^{"seq":(%d+),"status":"([%a_]+)"')
end

-- reply: the members that a turn carries through its life, each as JSON text.
-- ending: finish_reason, usage, error and wait, as JSON members.
-- The seq is that of the event that the caller logs next.
local function reply_json(turn, status, content, reply, ending)
  return '{"seq":' .. (seq + 1) .. ',"status":"' .. status .. '","content":"' .. content ..
    '","id":"' .. reply_id(turn) .. '","role":"assistant","created_at":' .. reply.created_at ..
    ',"started_at":' .. reply.started_at .. ',"completed_at":' .. reply.completed_at ..
    ',"reply_to":"msg_' .. reply.prompt .. '","attempt":' .. reply.attempt ..
    ',"model":' .. reply.model .. ',' .. ending .. ',"feedback":null}'
end

-- A message of the user; content: the inside of a JSON string.
local function prompt_json(number, content)
  return '{"seq":' .. (seq + 1) .. ',"status":"completed","content":"' .. content ..
    '","id":"msg_' .. number .. '","role":"user","created_at":' .. seconds(now) ..
    ',"started_at":null,"completed_at":' .. seconds(now) .. ',"reply_to":null,"attempt":0,' ..
    '"model":null,"finish_reason":null,"usage":null,"error":null,"wait":null,"feedback":null}'
end

-- The same members, read from the JSON of a reply that has not ended: its content is empty.
local function open_reply(json)
  local created_at, started_at, prompt, attempt, model = string.match(json,
    '"created_at":([%d.]+),"started_at":([%d.nul]+),"completed_at":null,' ..
    '"reply_to":"msg_(%d+)","attempt":(%d+),"model":(.-),"finish_reason":')
  return { created_at = created_at, started_at = started_at, completed_at = 'null',
    prompt = prompt, attempt = attempt, model = model }
end

-- A message without its last member, and that member's value. Inside a JSON string each quote bears
-- a backslash, so no text is taken for it.
local function without_feedback(json)
  local rest, feedback = string.match(json, '^(.*),"feedback":(.*)}$')
  return rest, feedback
end

local function waits(reason, retry_at, position, problem)
  return '"finish_reason":null,"usage":null,"error":' .. problem .. ',"wait":{"reason":"' ..
    reason .. '","retry_at":' .. retry_at .. ',"position":' .. position .. '}'
end
