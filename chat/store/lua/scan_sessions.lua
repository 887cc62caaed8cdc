#!lua flags=no-writes
-- Scan sessions of a partition for those that match a filter; one call is one step.
-- include: scan_filter scan_matches scan_labels
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
-- ARGV[10]   matches after which a scan by activity ends early
-- ARGV[11]   max ids to return; 0 with the times of all matches
-- ARGV[12]   1 to return the times of all matches, '' for those of the returned ids
-- ARGV[13]   start of the range of labels, for ZRANGEBYLEX, or '' for any sessions
-- ARGV[14]   end of that range
-- ARGV[15]   another label that the sessions must have, or ''
-- ARGV[16...] each "<first> <last> <first> <last> ...": ranges of openers, of which the sessions must
--            have one; after "!", none
--
-- Replies: cursor count times id...
--   cursor: 0 at the end; times: ms, separated by spaces
--   ids: the newest matches of the step, newest first
local cursor, step, max_matches = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[10])
local STATUS_LIST = ({ running = RUNNING, waiting = WAITING })[status]
local CHUNK = 100 -- sessions to read at once if a few matches are enough

local function scan_status_list()
  local found, matching = redis.call('ZRANGE', STATUS_LIST, cursor, cursor + step - 1), {}
  for_each_match(found, function(id) matching[#matching + 1] = id end)
  add_matches(matching)
  return #found < step and 0 or cursor + step
end

local function scan_search_index()
  local next_cursor, members =
    unpack(redis.call('SSCAN', SEARCH_INDEX, cursor, 'MATCH', ARGV[9], 'COUNT', step))
  local found = {}
  for i, member in ipairs(members) do found[i] = session_id_in(member) end
  add_matches(found)
  return next_cursor
end

-- labels: of which the sessions must have one, or nil.
local function scan_by_activity(rank, labels)
  local chunk, scanned = max_matches < step and CHUNK or step, 0
  repeat
    local found, found_at = read_by_activity(rank + scanned, chunk)
    local wanted = labels and labelled_among(found, labels, STATUS_LIST)
    for_each_match(found, function(id, i)
      if not wanted or wanted[id] then add_match(id, found_at[i]) end
    end)
    scanned = scanned + #found
    if #found < chunk or count >= max_matches then return 0 end
  until scanned >= step
  return rank + scanned
end

-- The cursor of a scan by activity starts with "a".
local function scan_labelled()
  local rank = string.match(cursor, '^a(%d+)$')
  if cursor == '0' and is_faster_by_activity(max_matches) then rank = 0 end
  if not rank then return scan_labels(cursor, step, STATUS_LIST) end
  local next_rank = scan_by_activity(rank, labels_in_range(math.huge))
  return next_rank == 0 and 0 or 'a' .. next_rank
end

local scan = ARGV[13] ~= '' and scan_labelled or STATUS_LIST and scan_status_list or
  ARGV[9] ~= '' and scan_search_index or scan_by_activity
local next_cursor = scan(cursor)
return { tostring(next_cursor), count, table.concat(times, ' '), unpack(ids) }
