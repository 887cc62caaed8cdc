-- The life of a session. Needs `s` with ttl and max_at.

-- Count this moment as activity: move the session's expiry and its keys' TTL, the net below it.
local function keep_alive(margin)
  s.expires = math.min(now + s.ttl * 1000, s.max_at)
  redis.call('HSET', SESSION, 'active', now, 'expires', s.expires)
  redis.call('ZADD', INDEX, now, ID)
  for _, key in ipairs({ SESSION, MESSAGES, PARTIAL, EVENTS, IDEM }) do
    redis.call('PEXPIREAT', key, s.expires + margin * 1000)
  end
end

local function due_at(ms)
  redis.call('ZADD', DUE, ms, ID)
end

-- Take every trace of the session away and tell who follows it.
local function remove(reason)
  redis.call('HINCRBY', COUNTS, 'waiting', -(s.waiting or 0))
  if (s.turn or 0) ~= 0 then redis.call('HINCRBY', COUNTS, 'running', -1) end
  redis.call('HINCRBY', COUNTS, 'sessions', -1)
  redis.call('UNLINK', SESSION, MESSAGES, PARTIAL, EVENTS, IDEM)
  redis.call('ZREM', DUE, ID)
  redis.call('ZREM', INDEX, ID)
  redis.call('PUBLISH', EVENTS, reason)
end
