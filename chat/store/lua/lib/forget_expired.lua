-- Sessions whose keys reached their TTL because no worker swept in time. Needs search_index.lua.

-- Remove the session from all lists. The number of its open turns is unknown, so the gauges are
-- reset only when the partition is empty.
local function forget_expired()
  for _, key in ipairs({ BY_ACTIVITY, WAITING, RUNNING }) do redis.call('ZREM', key, ID) end
  unindex_session()
  if redis.call('ZREM', DUE, ID) == 0 then return end -- the session was removed in time
  redis.call('HINCRBY', COUNTS, 'sessions', -1)
  if redis.call('ZCARD', DUE) == 0 then
    redis.call('HSET', COUNTS, 'waiting', 0, 'running', 0)
  end
end
