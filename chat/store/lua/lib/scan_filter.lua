-- The filter of a scan, and the sessions that match it. KEYS and ARGV: see scan_sessions.lua.
-- include: search_fields
local BY_ACTIVITY, SEARCH_FIELDS, RUNNING, WAITING, SEARCH_INDEX, LABELS = unpack(KEYS)
local since, before = tonumber(ARGV[1]), tonumber(ARGV[2])
local is_any_time = since == 0 and before >= 2 ^ 53
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
    local is_excluded = string.sub(ranges, 1, 1) == '!'
    if has_opener(fields, string.sub(ranges, is_excluded and 2 or 1)) == is_excluded then
      return false
    end
  end
  return name_part == '' or has_name(fields, name_part)
end

-- Return the search fields of sessions. To look up most of a hash takes longer than to read it.
local function read_fields(candidates)
  if redis.call('HLEN', SEARCH_FIELDS) > 2 * #candidates then
    return redis.call('HMGET', SEARCH_FIELDS, unpack(candidates))
  end
  local all, by_id = redis.call('HGETALL', SEARCH_FIELDS), {}
  for i = 1, #all, 2 do by_id[all[i]] = all[i + 1] end
  local fields = {}
  for i, id in ipairs(candidates) do fields[i] = by_id[id] or false end
  return fields
end

-- Call `handle(id, i)` for each of the sessions that matches; i is its index.
local function for_each_match(candidates, handle)
  if not candidates[1] then return end
  local fields = needs_fields and read_fields(candidates) or {}
  for i, id in ipairs(candidates) do
    if matches(id, fields[i]) then handle(id, i) end
  end
end
