-- The expiry of a session. Needs `s` with ttl, max_expires_at, keys_expire_at.

-- Extend the TTL of the session's keys. It is only a safety net with a wide margin, so it is extended
-- rarely, and when the script may have added a key.
local function keep_keys(has_new_keys)
  if not has_new_keys and s.keys_expire_at >= s.expires_at + KEY_TTL_MARGIN / 2 then return end
  set('keys_expire_at', s.expires_at + KEY_TTL_MARGIN)
  for _, key in ipairs({ SESSION, MESSAGES, PARTIAL, LOG, IDEMPOTENCY, FILES }) do
    redis.call('PEXPIREAT', key, s.keys_expire_at)
  end
end

-- Count this moment as activity, which extends the session's life.
local function keep_alive(has_new_keys)
  set('last_active_at', now)
  set('expires_at', math.min(now + s.ttl * 1000, s.max_expires_at))
  redis.call('ZADD', BY_ACTIVITY, now, ID)
  keep_keys(has_new_keys)
end
