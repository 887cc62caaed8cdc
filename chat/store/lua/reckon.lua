#!lua flags=no-writes
-- Count the sessions of a partition that use a model, or that are idle, without looking at each.
--
-- KEYS[1] index    KEYS[2] facets    KEYS[3] running    KEYS[4] waiting    KEYS[5] names    KEYS[6] counts
-- ARGV[1] status: idle, or '' for any    ARGV[2] model, JSON string, or '' for any
--
-- how many, how many whose name and model were never noted
local INDEX, FACETS, RUNNING, WAITING, _, COUNTS = unpack(KEYS)
local model = ARGV[2]
local total = redis.call('ZCARD', INDEX)
local unknown = math.max(0, total - redis.call('HLEN', FACETS))
if model ~= '' then total = redis.call('HGET', COUNTS, 'model:' .. model) or 0 end
if ARGV[1] ~= 'idle' then return { tonumber(total), unknown } end

local busy = 0
for _, LISTED in ipairs({ RUNNING, WAITING }) do
  for _, id in ipairs(redis.call('ZRANGE', LISTED, 0, -1)) do
    local facet = model ~= '' and redis.call('HGET', FACETS, id) or ''
    if model == '' or string.match(facet, '^[^\n]*') == model then busy = busy + 1 end
  end
end
return { total - busy, unknown }
