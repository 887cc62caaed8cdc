#!lua flags=allow-oom
-- List a user's sessions, most recently active first. Entries of sessions that are gone are removed.
-- include: search_fields
--
-- KEYS[1]  zset: labels, see lib/labels.lua
-- KEYS[2]  zset: sessions by activity
-- KEYS[3]  hash: search fields, see lib/search_index.lua
-- ARGV[1]  label of the user, see chat/store/openers.py
-- ARGV[2]  part of the name, normalized, or ''
-- ARGV[3]  ms of the last session before the page, or '' for the first page
-- ARGV[4]  id of that session
-- ARGV[5]  max sessions
-- ARGV[6]  a label: sessions that have it are left out; or ''
--
-- Replies: has_more ms id ms id ...   has_more: 1 if there are more sessions
local LABELS, BY_ACTIVITY, SEARCH_FIELDS = unpack(KEYS)
local name, before_ms, before_id, limit = ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local CHUNK = 1000 -- what Lua can unpack
local PREFIX = ARGV[1] .. ' '
local LEFT_OUT = ARGV[6] .. ' '

local found = {}

local function is_after_cursor(ms, id)
  return not before_ms or ms < before_ms or (ms == before_ms and id < before_id)
end

-- Return for each of the sessions whether it is left out.
local function find_left_out(ids)
  if ARGV[6] == '' then return {} end
  local members = {}
  for i, id in ipairs(ids) do members[i] = LEFT_OUT .. id end
  return redis.call('ZMSCORE', LABELS, unpack(members))
end

local function add(ids)
  local left_out = find_left_out(ids)
  local times = redis.call('ZMSCORE', BY_ACTIVITY, unpack(ids))
  local fields = name == '' and {} or redis.call('HMGET', SEARCH_FIELDS, unpack(ids))
  for i, id in ipairs(ids) do
    local ms = tonumber(times[i])
    if not ms then
      redis.call('ZREM', LABELS, PREFIX .. id)
    elseif not left_out[i] and is_after_cursor(ms, id) and
      (name == '' or (fields[i] and has_name(fields[i], name))) then
      found[#found + 1] = { ms, id }
    end
  end
end

local members = redis.call('ZRANGEBYLEX', LABELS, '[' .. PREFIX, '(' .. ARGV[1] .. '!')
for first = 1, #members, CHUNK do
  local ids = {}
  for i = first, math.min(first + CHUNK - 1, #members) do
    ids[#ids + 1] = string.sub(members[i], #PREFIX + 1)
  end
  add(ids)
end
table.sort(found, function(a, b) return a[1] > b[1] or (a[1] == b[1] and a[2] > b[2]) end)
local reply = { #found > limit and 1 or 0 }
for i = 1, math.min(limit, #found) do
  reply[2 * i], reply[2 * i + 1] = string.format('%.0f', found[i][1]), found[i][2]
end
return reply
