#!lua flags=allow-oom
-- Correct the expiry of sessions after the clock has stepped forward. The TTL of their keys must be
-- long enough.
-- include: shift
--
-- KEYS[1]    zset: due, of their partition
-- KEYS[2...] hashes: the sessions
-- ARGV[1-2]  step and since, see lib/shift.lua
-- ARGV[3...] their ids
--
-- Replies:
--   SHIFTED
local step, since = tonumber(ARGV[1]), tonumber(ARGV[2])

local function shift_session(key, id)
  local fields = redis.call('HMGET', key, 'created_at', 'expires_at', 'max_expires_at', 'ttl',
    'shifted_since', 'running_turn', 'waiting')
  for i = 1, #fields do fields[i] = tonumber(fields[i] or 0) end
  local created_at, expires_at, max_expires_at, ttl, shifted_since, running_turn, waiting =
    unpack(fields)
  if created_at == 0 or created_at >= since or shifted_since == since then return end
  max_expires_at = max_expires_at + step
  expires_at = math.min(extend_by(step, since)(expires_at, ttl * 1000), max_expires_at)
  redis.call('HSET', key, 'expires_at', expires_at, 'max_expires_at', max_expires_at,
    'shifted_since', since)
  if running_turn == 0 and waiting == 0 then redis.call('ZADD', KEYS[1], expires_at, id) end
end

for i = 2, #KEYS do shift_session(KEYS[i], ARGV[i + 1]) end
return { 'SHIFTED' }
