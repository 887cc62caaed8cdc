-- A session whose keys have run out of their TTL because no worker swept for longer than that.
-- Needs facets.lua.

-- Take it off the lists. What it had waiting or running can no longer be told, so those gauges are
-- put right when the partition is empty.
local function forget_vanished()
  for _, key in ipairs({ INDEX, WAITING, RUNNING }) do redis.call('ZREM', key, ID) end
  forget_facets()
  if redis.call('ZREM', DUE, ID) == 0 then return end -- it was removed, not lost
  redis.call('HINCRBY', COUNTS, 'sessions', -1)
  if redis.call('ZCARD', DUE) == 0 then
    redis.call('HSET', COUNTS, 'waiting', 0, 'running', 0)
  end
end
