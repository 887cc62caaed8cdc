#!lua flags=no-writes
-- Scan sessions of a partition for those that match a filter; one call is one step.
-- include: scan_filter scan_labels
--
-- KEYS[1]    zset: sessions by activity
-- KEYS[2]    hash: search fields
-- KEYS[3]    zset: running
-- KEYS[4]    zset: waiting
-- KEYS[5]    set: search index
-- KEYS[6]    zset: labels, see lib/labels.lua
-- ARGV[1]    start of the last activity, ms, inclusive
-- ARGV[2]    end of the last activity, ms, exclusive
-- ARGV[3]    cursor: 0, or the cursor that the step before returned
-- ARGV[4]    sessions per step, at most what Lua can unpack
-- ARGV[5]    status: running, waiting, idle, or '' for any
-- ARGV[6]    model, JSON string, or '' for any
-- ARGV[7]    prefix of the session id, or ''
-- ARGV[8]    part of the name, normalized, or ''
-- ARGV[9]    glob pattern for members of the search index, or ''
-- ARGV[10]   matches after which the step ends early
-- ARGV[11]   max ids to return
-- ARGV[12]   1 to return the times of all matches, '' for those of the returned ids
-- ARGV[13]   start of the range of labels, for ZRANGEBYLEX, or '' for any sessions
-- ARGV[14]   end of that range
-- ARGV[15]   another label that the sessions must have, or ''
-- ARGV[16...] each "<first> <last> <first> <last> ...": ranges of openers, of which the sessions must
--            have one
--
-- Replies: cursor count times id...
--   cursor: 0 at the end; times: ms, separated by spaces
--   Without status and pattern, ids are in order of activity, newest first.
--   With labels, the ids are the newest ones of the step, in that order unless all are returned.
--   With a pattern, either all ids are returned or none.
local cursor, step, max_matches = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[10])
local STATUS_LIST = ({ running = RUNNING, waiting = WAITING })[status]
local CHUNK = 500 -- sessions to read at once if a few matches are enough

local function scan_status_list()
  local found = redis.call('ZRANGE', STATUS_LIST, cursor, cursor + step - 1)
  local found_times = found[1] and redis.call('ZMSCORE', BY_ACTIVITY, unpack(found))
  for_each_match(found, function(id, i) add_match_in_range(id, found_times[i]) end)
  return #found < step and 0 or cursor + step
end

local function scan_search_index()
  local next_cursor, members =
    unpack(redis.call('SSCAN', SEARCH_INDEX, cursor, 'MATCH', ARGV[9], 'COUNT', step))
  local found = {}
  for i, member in ipairs(members) do found[i] = session_id_in(member) end
  if found[1] then
    local found_times = redis.call('ZMSCORE', BY_ACTIVITY, unpack(found))
    for i, id in ipairs(found) do add_match_in_range(id, found_times[i]) end
  end
  return next_cursor
end

local function scan_by_activity()
  local chunk, scanned = math.min(max_matches, step) < step and CHUNK or step, 0
  -- If few of many ids are returned, reading only their times at the end is cheaper.
  local reads_times = wants_times or max_ids >= max_matches
  repeat
    local command = { 'ZREVRANGEBYSCORE', BY_ACTIVITY, '(' .. ARGV[2], ARGV[1], 'LIMIT',
      cursor + scanned, chunk }
    if reads_times then command[#command + 1] = 'WITHSCORES' end
    local found, found_times = redis.call(unpack(command)), {}
    if reads_times then found, found_times = split_scores(found) end
    for_each_match(found, function(id, i) add_match(id, found_times[i]) end)
    scanned = scanned + #found
    if #found < chunk then return 0 end
  until count >= max_matches or scanned >= step
  return cursor + scanned
end

local by_label = ARGV[13] ~= ''
local by_pattern = not by_label and not STATUS_LIST and ARGV[9] ~= ''
local scan = STATUS_LIST and scan_status_list or by_pattern and scan_search_index or
  scan_by_activity
local next_cursor = by_label and scan_labels(cursor, step, STATUS_LIST) or scan()
if by_pattern and count > max_ids then ids, times = {}, wants_times and times or {} end
if ids[1] and not times[1] then times = redis.call('ZMSCORE', BY_ACTIVITY, unpack(ids)) end
return { tostring(next_cursor), count, table.concat(times, ' '), unpack(ids) }
