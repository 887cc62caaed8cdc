-- Stored messages: JSON with its members in a fixed order, so that scripts read and splice it as
-- text. Turn t has the user message 2t - 1 and the reply 2t.
-- include: event_json

-- Return seq and status of a message.
local function message_state(json)
  return string.match(json, '^{"seq":(%d+),"status":"([%a_]+)"')
end

-- Return the JSON of a reply, with the seq of the next event.
-- reply: created_at, started_at, completed_at, prompt, attempt and model, each as JSON text.
-- result: finish_reason, usage, error and wait, as JSON members.
local function reply_json(turn, status, content, reply, result)
  return '{"seq":' .. (seq + 1) .. ',"status":"' .. status .. '","content":"' .. content ..
    '","id":"' .. reply_id(turn) .. '","role":"assistant","created_at":' .. reply.created_at ..
    ',"started_at":' .. reply.started_at .. ',"completed_at":' .. reply.completed_at ..
    ',"reply_to":"msg_' .. reply.prompt .. '","attempt":' .. reply.attempt ..
    ',"model":' .. reply.model .. ',' .. result .. ',"feedback":null}'
end

-- Return the JSON of a user message. content: the inside of a JSON string. replaced: number of the
-- message that this one is an edited version of, or nil. parts: JSON list, or nil. They precede the
-- content, so that a redaction drops them.
local function user_message_json(number, content, replaced, parts)
  parts = parts and '"parts":' .. parts .. ',' or ''
  return '{"seq":' .. (seq + 1) .. ',"status":"completed",' .. parts .. '"content":"' .. content ..
    '","id":"msg_' .. number .. '","role":"user","created_at":' .. format_seconds(now) ..
    ',"started_at":null,"completed_at":' .. format_seconds(now) ..
    ',"reply_to":null,"attempt":0,"model":null,"finish_reason":null,"usage":null,' ..
    '"error":null,"wait":null,' .. (replaced and '"replaces":"msg_' .. replaced .. '",' or '') ..
    '"feedback":null}'
end

-- Return the members that reply_json takes, read from a reply that has not ended.
local function parse_open_reply(json)
  local created_at, started_at, prompt, attempt, model = string.match(json,
    '"created_at":([%d.]+),"started_at":([%d.nul]+),"completed_at":null,' ..
    '"reply_to":"msg_(%d+)","attempt":(%d+),"model":(.-),"finish_reason":')
  return { created_at = created_at, started_at = started_at, completed_at = 'null',
    prompt = prompt, attempt = attempt, model = model }
end

-- Split the feedback, the last member, from a message. Quotes inside JSON strings are escaped, so
-- no text can match the member's name.
local function split_feedback(json)
  local rest, feedback = string.match(json, '^(.*),"feedback":(.*)}$')
  return rest, feedback
end

-- Return the result of a reply that waits, as JSON members. position must be the last one of `wait`,
-- see lib/render_message.lua. ahead: sessions that call the model before, 0 if it does not wait for
-- them.
local function wait_result(reason, retry_at, position, error_json, ahead)
  return '"finish_reason":null,"usage":null,"error":' .. error_json .. ',"wait":{"reason":"' ..
    reason .. '","retry_at":' .. retry_at .. ',"ahead":' .. (ahead or 0) .. ',"position":' ..
    position .. '}'
end

-- Return the JSON of a reply that waits behind `position` turns.
-- at: ms
local function queued_reply_json(turn, prompt, position, at)
  local reply = { created_at = format_seconds(at), started_at = 'null', completed_at = 'null',
    prompt = prompt, attempt = 0, model = 'null' }
  return reply_json(turn, 'queued', '', reply, wait_result('queue', 'null', position, 'null'))
end

-- Return the JSON of a reply that starts.
local function started_reply_json(turn, reply)
  return reply_json(turn, 'in_progress', '', reply,
    '"finish_reason":null,"usage":null,"error":null,"wait":null')
end

-- Return members of a `message.queued` event. message: JSON of the user message, if it is new.
local function queued_members(message, reply)
  return (message and ',"message":' .. message or '') .. ',"reply":' .. reply
end
