-- The matches of a scan: their number, and the newest of them. Needs scan_filter.lua.

local count, ids, times = 0, {}, {}
local kept, kept_at = 0, {} -- the number of `ids`, and `times` as numbers

-- Count a session. Keep its id and the time of its last activity if it is among the newest.
local function add_match(id, time)
  if busy[id] then return end
  count = count + 1
  if wants_times then times[count] = time end
  if max_ids == 0 then return end
  local at, place = tonumber(time), kept + 1
  if kept == max_ids and at <= kept_at[kept] then return end
  while place > 1 and kept_at[place - 1] < at do place = place - 1 end
  table.insert(ids, place, id)
  table.insert(times, place, time)
  table.insert(kept_at, place, at)
  kept = math.min(kept + 1, max_ids)
  ids[max_ids + 1], times[max_ids + 1], kept_at[max_ids + 1] = nil, nil, nil
end

-- Split the reply of a command WITHSCORES into members and scores.
local function split_scores(reply)
  local members, scores = {}, {}
  for i = 1, #reply / 2 do
    members[i], scores[i] = reply[2 * i - 1], reply[2 * i]
  end
  return members, scores
end

-- Return the sessions of the time range from a rank on, newest first, and their times.
local function read_by_activity(rank, limit)
  return split_scores(redis.call('ZREVRANGEBYSCORE', BY_ACTIVITY, '(' .. ARGV[2], ARGV[1],
    'WITHSCORES', 'LIMIT', rank, limit))
end

-- Add those of the time range among sessions in no order, which are most sessions of the range: walk
-- through these as far as necessary.
local function add_by_walk(found)
  local wanted, rank = {}, 0
  for _, id in ipairs(found) do wanted[id] = true end
  local is_counted = is_any_time and not wants_times and not next(busy)
  local chunk = is_counted and 4 * max_ids + 1 or 1000
  repeat
    local walked, walked_at = read_by_activity(rank, chunk)
    for i, id in ipairs(walked) do
      if wanted[id] then add_match(id, walked_at[i]) end
    end
    rank = rank + chunk
  until #walked < chunk or is_counted and kept == max_ids
  if is_counted then count = #found end
end

-- Add those of the time range among sessions in no order.
local function add_matches(found)
  if not found[1] then return end
  local in_range = redis.call('ZCOUNT', BY_ACTIVITY, ARGV[1], '(' .. ARGV[2])
  if in_range <= 2 * #found then return add_by_walk(found) end
  for i, time in ipairs(redis.call('ZMSCORE', BY_ACTIVITY, unpack(found))) do
    local at = tonumber(time or -1)
    if at >= since and at < before then add_match(found[i], time) end
  end
end

-- member: of the search index.
local function session_id_in(member)
  return string.match(member, '\n([^\n]*)$')
end
