-- The sessions with a label, for a scan. Needs scan_filter.lua. KEYS and ARGV: see scan_sessions.lua.

-- Return those that are members of a zset, after a prefix.
local function members_of(key, prefix, candidates)
  if not candidates[1] then return candidates end
  local members, found = {}, {}
  for i, id in ipairs(candidates) do members[i] = prefix .. id end
  for i, score in ipairs(redis.call('ZMSCORE', key, unpack(members))) do
    if score then found[#found + 1] = candidates[i] end
  end
  return found
end

local active_at = {} -- ms of each of the ids

local function is_newer(id, ms, place)
  return ms > active_at[place] or (ms == active_at[place] and id > ids[place])
end

-- Keep the id if it is one of the newest; they are in order, newest first.
local function keep_newest(id, ms)
  local place = #ids + 1
  if place > max_ids then
    if max_ids == 0 or not is_newer(id, ms, max_ids) then return end
    place = max_ids
  end
  while place > 1 and is_newer(id, ms, place - 1) do
    ids[place], active_at[place] = ids[place - 1], active_at[place - 1]
    place = place - 1
  end
  ids[place], active_at[place] = id, ms
end

-- Count those of the candidates that match, and keep the newest of them. If there is room for all,
-- they are in no order.
local function add_newest(candidates)
  if not candidates[1] then return end
  local found = redis.call('ZMSCORE', BY_ACTIVITY, unpack(candidates))
  local keeps_all = max_ids >= #candidates
  for_each_match(candidates, function(id, i)
    local ms = tonumber(found[i] or -1)
    if ms < since or ms >= before or busy[id] then return end
    count = count + 1
    if wants_times then times[count] = found[i] end
    if keeps_all then ids[count] = id else keep_newest(id, ms) end
  end)
end

-- Scan the labels from a cursor; return the next one. status_list: key of a zset, or nil.
local function scan_labels(cursor, step, status_list)
  local found = redis.call('ZRANGEBYLEX', LABELS, ARGV[13], ARGV[14], 'LIMIT', cursor, step)
  local is_last = #found < step
  for i, member in ipairs(found) do
    found[i] = string.sub(member, string.find(member, ' ', 1, true) + 1)
  end
  if status_list then found = members_of(status_list, '', found) end
  if ARGV[15] ~= '' then found = members_of(LABELS, ARGV[15] .. ' ', found) end
  add_newest(found)
  return is_last and 0 or cursor + step
end
