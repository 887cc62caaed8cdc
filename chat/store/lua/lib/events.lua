-- The event log. `append_event` adds an event under the next seq. `publish` saves the session, then
-- publishes the events: store first, publish second. The log is limited in events and in bytes.
local MAX_PUBLISH_BYTES = 8192 -- if the events are larger, only their seq is published

local TRIM_SLACK = 100 -- events by which the log may be too long before it is trimmed
local TRIM_STEP = 20 -- events

local unpublished = {} -- events since the last publish

-- members: further JSON members of the event, each preceded by a comma.
local function append_event(type, members)
  seq = seq + 1
  local event = '{"type":"' .. type .. '","seq":' .. seq .. ',"session_id":"' .. ID ..
    '","created_at":' .. format_seconds(now) .. members .. '}'
  redis.call('XADD', EVENTS, seq .. '-0', 'event', event)
  s.log_bytes = s.log_bytes + #event
  unpublished[#unpublished + 1] = event
end

-- Delete the oldest events that exceed a limit, but none that are unpublished. Return whether some are
-- left that exceed it.
local function trim_step(max_bytes)
  local first_kept = seq - #unpublished + 1
  local has_more = false
  for _, entry in ipairs(redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', TRIM_STEP)) do
    local number = tonumber(string.match(entry[1], '^%d+'))
    has_more = number < first_kept and
      (seq - s.log_start > tonumber(EVENT_LOG_SIZE) or s.log_bytes > max_bytes)
    if not has_more then break end
    s.log_start, s.log_bytes = number, math.max(0, s.log_bytes - #entry[2][2])
  end
  redis.call('XTRIM', EVENTS, 'MINID', s.log_start + 1 .. '-0')
  return has_more
end

-- Trim the log if it is too long or too large: rarely, and then by some more.
local function trim_log()
  local is_large = s.log_bytes > tonumber(EVENT_LOG_BYTES)
  if not is_large and seq - s.log_start <= EVENT_LOG_SIZE + TRIM_SLACK then return end
  local max_bytes = EVENT_LOG_BYTES * (is_large and 0.75 or 1)
  repeat until not trim_step(max_bytes)
  set('log_start', s.log_start)
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
