-- What staff ask for, and the sessions that meet it. KEYS and ARGV are those of choose.lua.
local INDEX, FACETS, RUNNING, WAITING, NAMES = unpack(KEYS)
local from, till = tonumber(ARGV[1]), tonumber(ARGV[2])
local status, model, id_start, part = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local given, wants_moments = tonumber(ARGV[11]), ARGV[12] == '1'

local busy = {}
if status == 'idle' then
  for _, LISTED in ipairs({ RUNNING, WAITING }) do
    for _, id in ipairs(redis.call('ZRANGE', LISTED, 0, -1)) do busy[id] = true end
  end
end

-- Of the model, and the line end behind it.
local line = model ~= '' and model .. '\n' or ''

-- facet: what facets.lua keeps of the session, or false.
local function meets(id, facet)
  if id_start ~= '' and string.sub(id, 1, #id_start) ~= id_start then return false end
  if line == '' and part == '' then return true end
  if not facet or string.sub(facet, 1, #line) ~= line then return false end
  return part == '' or
    string.find(facet, part, string.find(facet, '\n', 1, true) + 1, true) ~= nil
end

local count, ids, moments = 0, {}, {}

-- Count a session; remember it, and the moment of its last activity if that was read, as far as
-- these are asked for.
local function take(id, moment)
  if busy[id] then return end
  count = count + 1
  if count <= given then ids[count] = id end
  if count <= given or wants_moments then moments[count] = moment end
end

local function take_if_within(id, moment)
  local at = tonumber(moment or -1)
  if at >= from and at < till then take(id, moment) end
end

-- Give each of some sessions that meets it, and its place among them, to `found`.
local function sift(some, found)
  if not some[1] then return end
  local facets = (line ~= '' or part ~= '') and redis.call('HMGET', FACETS, unpack(some)) or {}
  for i, id in ipairs(some) do
    if meets(id, facets[i]) then found(id, i) end
  end
end

-- Part what is answered with scores into members and scores.
local function parted(both)
  local some, at = {}, {}
  for i = 1, #both, 2 do some[#some + 1], at[#at + 1] = both[i], both[i + 1] end
  return some, at
end

-- member: of names.
local function session_in(member)
  local name_at = string.find(member, '\n', 1, true) + 1
  return string.sub(member, string.find(member, '\n', name_at, true) + 1)
end
