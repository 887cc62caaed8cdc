-- The filter of a scan, and the sessions that match it. KEYS and ARGV: see scan_sessions.lua.
-- include: search_fields
local BY_ACTIVITY, SEARCH_FIELDS, RUNNING, WAITING, SEARCH_INDEX, LABELS = unpack(KEYS)
local since, before = tonumber(ARGV[1]), tonumber(ARGV[2])
local status, model, id_prefix, name_part = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local max_ids, wants_times = tonumber(ARGV[11]), ARGV[12] == '1'

local busy = {} -- sessions to leave out
if status == 'idle' then
  for _, key in ipairs({ RUNNING, WAITING }) do
    for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do busy[id] = true end
  end
end

local model_line = model ~= '' and model .. '\n' or ''

local opener_ranges = { unpack(ARGV, 16) }
local needs_fields = model_line ~= '' or name_part ~= '' or opener_ranges[1] ~= nil

-- fields: the session's search fields (see lib/search_index.lua), or false.
local function matches(id, fields)
  if id_prefix ~= '' and string.sub(id, 1, #id_prefix) ~= id_prefix then return false end
  if not needs_fields then return true end
  if not fields or string.sub(fields, 1, #model_line) ~= model_line then return false end
  for _, ranges in ipairs(opener_ranges) do
    if not has_opener(fields, ranges) then return false end
  end
  return name_part == '' or has_name(fields, name_part)
end

local count, ids, times = 0, {}, {}

-- Count a session. Keep its id and the time of its last activity, as far as the caller wants them.
-- time: may be nil if it was not read.
local function add_match(id, time)
  if busy[id] then return end
  count = count + 1
  if count <= max_ids then ids[count] = id end
  if count <= max_ids or wants_times then times[count] = time end
end

local function add_match_in_range(id, time)
  local at = tonumber(time or -1)
  if at >= since and at < before then add_match(id, time) end
end

-- Call `handle(id, i)` for each of the sessions that matches; i is its index.
local function for_each_match(candidates, handle)
  if not candidates[1] then return end
  local fields = needs_fields and redis.call('HMGET', SEARCH_FIELDS, unpack(candidates)) or {}
  for i, id in ipairs(candidates) do
    if matches(id, fields[i]) then handle(id, i) end
  end
end

-- Split the reply of a command WITHSCORES into members and scores.
local function split_scores(reply)
  local members, scores = {}, {}
  for i = 1, #reply, 2 do
    members[#members + 1], scores[#scores + 1] = reply[i], reply[i + 1]
  end
  return members, scores
end

-- member: of the search index.
local function session_id_in(member)
  local name_at = string.find(member, '\n', 1, true) + 1
  return string.sub(member, string.find(member, '\n', name_at, true) + 1)
end
