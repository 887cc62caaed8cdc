-- The lines of an event log, and the events that are rebuilt from them.
-- include: message_json
--
-- A line is the JSON of an event, or refers to messages that are stored:
--   q<at> <turn> <prompt> <position> <is_new>         message.queued; is_new: of the prompt, 0 or 1
--   s<at> <turn> <prompt> <created_at> <attempt> <model>   message.started; model: JSON
--   d<at> <turn> <text>                               message.delta
--   r<at> <turn> <text>                               message.reasoning
--   e<at> <turn> <status>                             the terminal event of a reply
-- at: ms. created_at: of the reply, seconds. text: the inside of a JSON string

local function expand_queued(turn, fields, at, key)
  local prompt, position, is_new = string.match(fields, '^(%d+) (%d+) (%d)$')
  local message = is_new == '1' and redis.call('HGET', key, prompt)
  if is_new == '1' and not message then return nil end
  return 'message.queued', queued_members(message, queued_reply_json(turn, prompt, position, at))
end

local function expand_started(turn, fields, at)
  local prompt, created_at, attempt, model = string.match(fields, '^(%d+) (%S+) (%d+) (.*)$')
  local reply = { created_at = created_at, started_at = format_seconds(at), completed_at = 'null',
    prompt = prompt, attempt = attempt, model = model }
  return 'message.started', ',"message":' .. started_reply_json(turn, reply)
end

local function expand_delta(_, text)
  return 'message.delta', ',"delta":"' .. text .. '"'
end

local function expand_reasoning(_, text)
  return 'message.reasoning', ',"delta":"' .. text .. '"'
end

-- Later feedback has changed the first and the last member of the message.
local function expand_end(turn, status, _, key)
  local reply = redis.call('HGET', key, 2 * turn)
  if not reply then return nil end
  local members = string.match(reply, '^{"seq":%d+(,.*),"feedback":.*}$')
  return 'message.' .. status,
    ',"message":{"seq":' .. (seq + 1) .. members .. ',"feedback":null}'
end

local EXPAND = { q = expand_queued, s = expand_started, d = expand_delta, r = expand_reasoning,
  e = expand_end }

-- Return the JSON of an event, or nil if its message is not stored any more.
-- number: its seq. id: of the session. key: of its messages.
local function expand_line(line, number, id, key)
  local expand = EXPAND[string.sub(line, 1, 1)]
  if not expand then return line end
  local at, turn, fields = string.match(line, '^%a(%d+) (%d+) (.*)$')
  local newest = seq
  seq = number - 1 -- from which message_json.lua counts
  local type, members = expand(tonumber(turn), fields, at, key)
  seq = newest
  if not type then return nil end
  return event_json(type, number, id, at, ',"message_id":"' .. reply_id(turn) .. '"' .. members)
end

-- Return when the event was created, as in its JSON.
local function line_time(line)
  local at = string.match(line, '^%a(%d+)')
  return at and format_seconds(at) or string.match(line, '"created_at":([%d.]+)')
end
