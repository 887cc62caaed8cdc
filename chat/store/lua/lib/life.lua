-- The life of a session. Needs `s` with ttl, max_at, kept.

-- Count this moment as activity, which moves the session's expiry. The keys' TTL, the net below it,
-- has so much to spare that it is moved only now and then, and when a key may be new.
local function keep_alive(has_new_keys)
  set('active', now)
  set('expires', math.min(now + s.ttl * 1000, s.max_at))
  redis.call('ZADD', INDEX, now, ID)
  if not has_new_keys and s.kept >= s.expires + MARGIN / 2 then return end
  set('kept', s.expires + MARGIN)
  for _, key in ipairs({ SESSION, MESSAGES, PARTIAL, EVENTS, IDEM }) do
    redis.call('PEXPIREAT', key, s.kept)
  end
end

-- Take every trace of the session away and tell who follows it.
local function remove(reason)
  redis.call('UNLINK', SESSION, MESSAGES, PARTIAL, EVENTS, IDEM)
  redis.call('ZREM', DUE, ID)
  for _, key in ipairs({ INDEX, WAITING, RUNNING }) do redis.call('ZREM', key, ID) end
  redis.call('HINCRBY', COUNTS, 'sessions', -1)
  if s.waiting > 0 then redis.call('HINCRBY', COUNTS, 'waiting', -s.waiting) end
  if s.turn ~= 0 then redis.call('HINCRBY', COUNTS, 'running', -1) end
  redis.call('PUBLISH', EVENTS, reason)
end
