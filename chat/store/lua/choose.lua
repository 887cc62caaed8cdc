#!lua flags=no-writes
-- Look through sessions of a partition for what staff ask for; one call is one step of that.
-- include: sieve
--
-- KEYS[1] index    KEYS[2] facets    KEYS[3] running    KEYS[4] waiting    KEYS[5] names
-- ARGV[1] ms from which on, and ARGV[2] before which, a session was last active
-- ARGV[3] cursor: 0, or the answer's of the step before
-- ARGV[4] sessions of a step, no more than Lua can unpack
-- ARGV[5] status: running, waiting, idle, or '' for any
-- ARGV[6] model, JSON string, or '' for any
-- ARGV[7] beginning of an id, or ''    ARGV[8] part of a name, folded, or ''
-- ARGV[9] '' or, with one of these, a pattern of the members of names that meet it and the model
-- ARGV[10] sessions to find, after which the step ends early    ARGV[11] most ids to give
-- ARGV[12] 1 to give the moments of all that are found, '' for those of the given ids
--
-- cursor (0: that was all) count moments (ms, in one text, parted by blanks) id...
-- Without status or pattern the sessions of the latest activity are looked at, and given, first; with
-- a pattern all are given, or none.
local cursor, step, enough = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[10])
local LIST = ({ running = RUNNING, waiting = WAITING })[status]
local CHUNK = 500 -- sessions, so that one that soon has enough stops soon

local function by_list()
  local some = redis.call('ZRANGE', LIST, cursor, cursor + step - 1)
  local at = some[1] and redis.call('ZMSCORE', INDEX, unpack(some))
  sift(some, function(id, i) take_if_within(id, at[i]) end)
  return #some < step and 0 or cursor + step
end

local function by_name()
  local found = redis.call('SSCAN', NAMES, cursor, 'MATCH', ARGV[9], 'COUNT', step)
  local named = {}
  for i, member in ipairs(found[2]) do named[i] = session_in(member) end
  if named[1] then
    local at = redis.call('ZMSCORE', INDEX, unpack(named))
    for i, id in ipairs(named) do take_if_within(id, at[i]) end
  end
  return found[1]
end

local function by_activity()
  local chunk, looked_at = math.min(enough, step) < step and CHUNK or step, 0
  -- Otherwise few of many are given: it takes less to read theirs in the end.
  local reads_moments = wants_moments or given >= enough
  repeat
    local asked = { 'ZREVRANGEBYSCORE', INDEX, '(' .. ARGV[2], ARGV[1], 'LIMIT',
      cursor + looked_at, chunk }
    if reads_moments then asked[#asked + 1] = 'WITHSCORES' end
    local some, at = redis.call(unpack(asked)), {}
    if reads_moments then some, at = parted(some) end
    sift(some, function(id, i) take(id, at[i]) end)
    looked_at = looked_at + #some
    if #some < chunk then return 0 end
  until count >= enough or looked_at >= step
  return cursor + looked_at
end

local by_pattern = not LIST and ARGV[9] ~= ''
local next_cursor = (LIST and by_list or by_pattern and by_name or by_activity)()
if by_pattern and count > given then ids, moments = {}, wants_moments and moments or {} end
if ids[1] and not moments[1] then moments = redis.call('ZMSCORE', INDEX, unpack(ids)) end
return { tostring(next_cursor), count, table.concat(moments, ' '), unpack(ids) }
