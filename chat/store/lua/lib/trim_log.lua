-- The limits of the event log, in events and in bytes. The log keeps all events of open turns and of
-- the last turn, so that their replies can be replayed; those of a turn that has ended only until
-- other events exceed a limit.
local TRIM_SLACK = 100 -- events by which the log may be too long before it is trimmed
local TRIM_STEP = 20 -- events

local unpublished = {} -- events since the last publish
local lines = {} -- the same, as they are stored; see lib/event_lines.lua
local has_turn_event = false -- whether some of them are part of the life of a turn

-- Return the seq from which all events are kept: those of the turns above, and unpublished ones.
local function first_kept_seq()
  local first_unpublished = seq - #unpublished + 1
  return s.turn_start > 0 and math.min(s.turn_start, first_unpublished) or first_unpublished
end

-- Delete the oldest events that exceed a limit, but none that are kept. Return whether some are left
-- that exceed it.
local function trim_step(max_bytes)
  local first_kept, trimmed = first_kept_seq(), 0
  local has_more = false
  for _, line in ipairs(redis.call('LRANGE', LOG, 0, TRIM_STEP - 1)) do
    has_more = s.log_start + 1 < first_kept and
      (seq - s.log_start > tonumber(EVENT_LOG_SIZE) or s.log_bytes > max_bytes)
    if not has_more then break end
    s.log_start, s.log_bytes = s.log_start + 1, math.max(0, s.log_bytes - #line)
    trimmed = trimmed + 1
  end
  redis.call('LTRIM', LOG, trimmed, -1)
  return has_more
end

-- Trim the log if it is too long or too large: rarely, and then by some more.
local function trim_log()
  local is_large = s.log_bytes > tonumber(EVENT_LOG_BYTES)
  if not is_large and seq - s.log_start <= EVENT_LOG_SIZE + TRIM_SLACK then return end
  if not has_turn_event and s.running_turn == 0 and s.waiting == 0 then set('turn_start', 0) end
  if s.log_start + 1 >= first_kept_seq() then return end
  local max_bytes = EVENT_LOG_BYTES * (is_large and 0.75 or 1)
  repeat until not trim_step(max_bytes)
  set('log_start', s.log_start)
end
