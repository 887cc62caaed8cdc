-- The event log. `append_event` adds an event under the next seq. `publish` saves the session, then
-- publishes the events: store first, publish second.
-- include: trim_log
local MAX_PUBLISH_BYTES = 8192 -- if the events are larger, only their seq is published

-- members: further JSON members of the event, each preceded by a comma.
local function append_event(type, members)
  seq = seq + 1
  local event = '{"type":"' .. type .. '","seq":' .. seq .. ',"session_id":"' .. ID ..
    '","created_at":' .. format_seconds(now) .. members .. '}'
  redis.call('XADD', EVENTS, seq .. '-0', 'event', event)
  s.log_bytes = s.log_bytes + #event
  has_turn_event = has_turn_event or
    string.sub(type, 1, 8) == 'message.' and type ~= 'message.rated'
  unpublished[#unpublished + 1] = event
end

local function clear_log()
  redis.call('XTRIM', EVENTS, 'MAXLEN', 0)
  s.log_bytes = 0
  set('log_start', seq)
end

-- The channel has the name of the log's key.
local function save_and_publish(payload)
  trim_log()
  set('seq', seq)
  set('log_bytes', s.log_bytes)
  save()
  redis.call('PUBLISH', EVENTS, payload)
end

-- Publish the seq alone; subscribers must read the log.
local function publish_seq()
  save_and_publish(seq)
end

-- Publish the events in the format of read_logs, so that subscribers need not read the log.
local function publish()
  local events = table.concat(unpublished, '\n')
  if events == '' or #events > MAX_PUBLISH_BYTES then return publish_seq() end
  save_and_publish('EVENTS ' .. seq .. ' ' .. seq - #unpublished + 1 .. '\n' .. events)
end
