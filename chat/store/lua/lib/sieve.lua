-- What staff ask for, and the sessions that meet it. KEYS and ARGV are those of choose.lua.
local INDEX, FACETS, RUNNING, WAITING, NAMES = unpack(KEYS)
local from, till = tonumber(ARGV[1]), tonumber(ARGV[2])
local status, model, id_start, part = ARGV[5], ARGV[6], ARGV[7], ARGV[8]

local busy = {}
if status == 'idle' then
  for _, LISTED in ipairs({ RUNNING, WAITING }) do
    for _, id in ipairs(redis.call('ZRANGE', LISTED, 0, -1)) do busy[id] = true end
  end
end

-- facet: what facets.lua keeps of the session, or false.
local function meets(id, facet)
  if string.sub(id, 1, #id_start) ~= id_start then return false end
  if model == '' and part == '' then return true end
  local name_at = facet and string.find(facet, '\n', 1, true)
  return name_at and (model == '' or string.sub(facet, 1, name_at - 1) == model) and
    (part == '' or string.find(facet, part, name_at + 1, true) ~= nil)
end

local ids, moments = {}, {}

local function keep(id, moment)
  local at = tonumber(moment or -1)
  if at >= from and at < till and not busy[id] then
    ids[#ids + 1], moments[#moments + 1] = id, moment
  end
end

-- Keep those of some sessions that meet it. at: their moments, if these are known.
local function sift(some, at)
  if not some[1] then return end
  local facets = (model ~= '' or part ~= '') and redis.call('HMGET', FACETS, unpack(some)) or {}
  at = at or redis.call('ZMSCORE', INDEX, unpack(some))
  for i, id in ipairs(some) do
    if meets(id, facets[i]) then keep(id, at[i]) end
  end
end
