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

-- Count those of the candidates that match, and keep the newest of them.
local function add_newest(candidates)
  if not candidates[1] then return end
  local at, matching = redis.call('ZMSCORE', BY_ACTIVITY, unpack(candidates)), {}
  for_each_match(candidates, function(id, i)
    if at[i] then matching[#matching + 1] = { tonumber(at[i]), id, at[i] } end
  end)
  table.sort(matching, function(a, b) return a[1] > b[1] end)
  for _, each in ipairs(matching) do add_match_in_range(each[2], each[3]) end
end

-- Scan the labels from a cursor; return the next one. status_list: key of a zset, or nil.
local function scan_labels(cursor, step, status_list)
  local found = redis.call('ZRANGEBYLEX', LABELS, ARGV[13], ARGV[14], 'LIMIT', cursor, step)
  local is_last = #found < step
  for i, member in ipairs(found) do found[i] = string.match(member, '[^ ]+$') end
  if status_list then found = members_of(status_list, '', found) end
  if ARGV[15] ~= '' then found = members_of(LABELS, ARGV[15] .. ' ', found) end
  add_newest(found)
  return is_last and 0 or cursor + step
end
