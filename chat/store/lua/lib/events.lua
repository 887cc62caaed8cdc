-- The event log. `append_event` adds an event under the next seq. `publish` saves the session and the
-- log, then publishes the events: store first, publish second.
-- include: store_log delta_event
local MAX_PUBLISH_BYTES = 8192 -- if the events are larger, only their seq is published

local refers_to_messages = true -- false if the script deletes messages
local has_unbuilt_event = false -- whether an event exists only as a line

-- members: further JSON members of the event, each preceded by a comma. line: a shorter form from
-- which the event can be rebuilt, see lib/event_lines.lua, or nil.
local function append_event(type, members, line)
  seq = seq + 1
  local event = event_json(type, seq, ID, now, members)
  line = refers_to_messages and line or event
  s.log_bytes = s.log_bytes + #line
  has_turn_event = has_turn_event or
    string.sub(type, 1, 8) == 'message.' and type ~= 'message.rated'
  unpublished[#unpublished + 1], lines[#lines + 1] = event, line
end

-- Add an event of a turn as a line. It is not published: subscribers read the log.
local function append_line(line)
  seq = seq + 1
  s.log_bytes = s.log_bytes + #line
  has_turn_event, has_unbuilt_event = true, true
  unpublished[#unpublished + 1], lines[#lines + 1] = '', line
end

-- The channel has the name of the stream.
local function save_and_publish(payload)
  push_lines()
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

-- Publish the events.
local function publish()
  local events = has_unbuilt_event and '' or table.concat(unpublished, '\n')
  if events == '' or #events > MAX_PUBLISH_BYTES then return publish_seq() end
  save_and_publish(events_message(seq - #unpublished + 1, events))
end
