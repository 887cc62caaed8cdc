-- Sessions whose keys reached their TTL because no worker swept in time. Needs search_index.lua.
-- include: labels

-- Remove the session from all lists. Its owner and the number of its open turns are unknown, so the
-- gauges are reset only when the partition is empty. The turns of owners and parties are counted
-- from 0 again: for a while they may have more than allowed.
local function forget_expired()
  for _, key in ipairs({ BY_ACTIVITY, WAITING, RUNNING }) do redis.call('ZREM', key, ID) end
  unindex_session()
  forget_labels()
  if redis.call('ZREM', DUE, ID) == 0 then return end -- the session was removed in time
  redis.call('HINCRBY', COUNTS, 'sessions', -1)
  for _, field in ipairs(redis.call('HKEYS', COUNTS)) do
    if string.find(field, '^turns:') then redis.call('HDEL', COUNTS, field) end
  end
  redis.call('DEL', WAITING_BY_PARTY)
  if redis.call('ZCARD', DUE) == 0 then
    redis.call('HSET', COUNTS, 'waiting', 0, 'running', 0)
  end
end
