-- Quotas: what the sessions that an address, user or tenant has opened may store.
--
-- KEYS       hashes, one for each holder:
--              <session>    "<reserved bytes> <reserved at, ms>"
--              total        bytes that all of them have reserved
--              audited_at   ms
local TOTALS = 2 -- fields of a hash that are not sessions

local function reserved_bytes(key, session)
  return tonumber(string.match(redis.call('HGET', key, session) or '', '^%d+'))
end

local function total_bytes(key)
  return tonumber(redis.call('HGET', key, 'total') or 0)
end

local function count_sessions(key)
  return math.max(0, redis.call('HLEN', key) - TOTALS)
end

local function reserve(key, session, bytes, ttl)
  redis.call('HINCRBY', key, 'total', bytes - (reserved_bytes(key, session) or 0))
  redis.call('HSETNX', key, 'audited_at', 0)
  redis.call('HSET', key, session, bytes .. ' ' .. now)
  redis.call('EXPIRE', key, ttl)
end

-- age: ms that the reservation must be old. A younger one may belong to a session that is being
-- created.
local function release(key, session, age)
  local bytes, at = string.match(redis.call('HGET', key, session) or '', '^(%d+) (%d+)$')
  if not bytes or (at + age > now and tonumber(at) <= now) then return end
  redis.call('HDEL', key, session)
  redis.call('HINCRBY', key, 'total', -bytes)
end

local function delete_if_empty(key)
  if redis.call('HLEN', key) <= TOTALS then redis.call('UNLINK', key) end
end

-- Return whether an audit is due, and count it as done.
local function start_audit(key, interval)
  local audited_at = tonumber(redis.call('HGET', key, 'audited_at'))
  if not audited_at or (audited_at + interval > now and audited_at <= now) then return false end
  redis.call('HSET', key, 'audited_at', now)
  return true
end
