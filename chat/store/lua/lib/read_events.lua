-- Reads of an event log.
-- include: event_lines
--
-- A log is a table: seq, log_end, the session's id, and the keys `list`, `stream` and `messages`.
-- The stream has events only if an older version has appended the newest ones.

-- Set `oldest`, the seq of the oldest event that is kept, or seq + 1.
local function open_log(log)
  local LIST, STREAM = log.list, log.stream
  log.oldest = log.log_end - redis.call('LLEN', LIST) + 1
  if log.log_end == log.seq then return log end
  local entry = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
  local first = entry and tonumber(string.match(entry[1], '^%d+')) or log.seq + 1
  if first ~= log.log_end + 1 then -- the older version has trimmed the log
    log.oldest, log.log_end = first, first - 1
  end
  return log
end

-- Return at most `max` lines after a cursor, and the seq of the first one.
local function read_lines(log, cursor, max)
  local LIST, STREAM = log.list, log.stream
  local first = math.max(cursor + 1, log.oldest)
  local found = {}
  if first <= log.log_end then
    local index = first - log.oldest
    found = redis.call('LRANGE', LIST, index, index + max - 1)
  end
  if log.log_end < log.seq and #found < max then
    local from = math.max(first, log.log_end + 1) .. '-0'
    for _, entry in ipairs(redis.call('XRANGE', STREAM, from, '+', 'COUNT', max - #found)) do
      found[#found + 1] = entry[2][2]
    end
  end
  return found, first
end

-- Return the events of lines, up to about `max_bytes`, and the seq of the first one.
-- first: seq of the first line.
local function expand_lines(log, found, first, max_bytes)
  local events, bytes, number = {}, 0, first
  for _, line in ipairs(found) do
    local event = expand_line(line, number, log.id, log.messages)
    number = number + 1
    if not event then
      events, first = {}, number
    else
      events[#events + 1] = event
      bytes = bytes + #event
      if bytes >= max_bytes then break end
    end
  end
  return events, first
end
