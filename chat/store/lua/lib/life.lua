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
