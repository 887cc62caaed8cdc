#!lua flags=no-writes
-- Count the sessions of a partition that use a model or are idle, without reading each.
--
-- KEYS[1]    zset: sessions by activity
-- KEYS[2]    hash: search fields
-- KEYS[3]    zset: running
-- KEYS[4]    zset: waiting
-- KEYS[5]    set: search index; not used
-- KEYS[6]    zset: labels, see lib/labels.lua
-- KEYS[7]    hash: counts
-- ARGV[1]    status: idle, or '' for any
-- ARGV[2]    model, JSON string, or '' for any
-- ARGV[3]    1 to count sessions without openers as unindexed
--
-- Replies: count unindexed sessions
--   unindexed: sessions without an entry in the search index, or without a label of their address
local BY_ACTIVITY, SEARCH_FIELDS, RUNNING, WAITING, _, LABELS, COUNTS = unpack(KEYS)
local model = ARGV[2]
local sessions = redis.call('ZCARD', BY_ACTIVITY)
local total = sessions
local indexed = redis.call('HLEN', SEARCH_FIELDS)
if ARGV[3] == '1' then
  indexed = math.min(indexed, redis.call('ZLEXCOUNT', LABELS, '[ip:', '(ip;'))
end
local unindexed = math.max(0, sessions - indexed)
if model ~= '' then total = redis.call('HGET', COUNTS, 'model:' .. model) or 0 end
if ARGV[1] ~= 'idle' then return { tonumber(total), unindexed, sessions } end

local busy = 0
for _, key in ipairs({ RUNNING, WAITING }) do
  for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    local fields = model ~= '' and redis.call('HGET', SEARCH_FIELDS, id) or ''
    if model == '' or string.match(fields, '^[^\n]*') == model then busy = busy + 1 end
  end
end
return { total - busy, unindexed, sessions }
