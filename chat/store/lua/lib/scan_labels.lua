-- The sessions with a label, for a scan. Needs scan_filter.lua, scan_matches.lua. KEYS and ARGV: see scan_sessions.lua.
local MAX_LABELS = 8 -- to look up for each session

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

-- Return the different labels of the range.
local function labels_in_range(limit)
  local found, first = {}, ARGV[13]
  while #found < limit do
    local member = redis.call('ZRANGEBYLEX', LABELS, first, ARGV[14], 'LIMIT', 0, 1)[1]
    if not member then break end
    found[#found + 1] = string.match(member, '^[^ ]+')
    first = '(' .. found[#found] .. '!' -- the next character after the space
  end
  return found
end

-- Return whether a scan of sessions by activity is faster; it looks up labels, which takes longer
-- than to read them.
local function is_faster_by_activity(max_matches)
  local labelled = redis.call('ZLEXCOUNT', LABELS, ARGV[13], ARGV[14])
  local in_range = redis.call('ZCOUNT', BY_ACTIVITY, ARGV[1], '(' .. ARGV[2])
  local share = math.min(1, max_matches / math.max(1, labelled))
  return 4 * in_range * share <= labelled and #labels_in_range(MAX_LABELS + 1) <= MAX_LABELS
end

-- Return the set of those of the candidates that have one of the labels, and the other one.
local function labelled_among(candidates, labels, status_list)
  local set = {}
  for _, label in ipairs(labels) do
    local found = members_of(LABELS, label .. ' ', candidates)
    if status_list then found = members_of(status_list, '', found) end
    if ARGV[15] ~= '' then found = members_of(LABELS, ARGV[15] .. ' ', found) end
    for _, id in ipairs(found) do set[id] = true end
  end
  return set
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
  local matching = {}
  for_each_match(found, function(id) matching[#matching + 1] = id end)
  add_matches(matching)
  return is_last and 0 or cursor + step
end
