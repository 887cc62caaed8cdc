-- Removal of a session.
-- include: labels waiting
--
-- Needs search_index.lua, and `s` with running_turn, waiting.

-- Delete all keys of the session except its deliveries, and publish the reason to subscribers.
local function remove_session(reason)
  clear_labels()
  redis.call('UNLINK', SESSION, MESSAGES, PARTIAL, LOG, EVENTS, IDEMPOTENCY, FILES)
  redis.call('ZREM', DUE, ID)
  unindex_session()
  for _, key in ipairs({ BY_ACTIVITY, WAITING, RUNNING }) do redis.call('ZREM', key, ID) end
  redis.call('HINCRBY', COUNTS, 'sessions', -1)
  if s.waiting > 0 then count_waiting(-s.waiting) end
  if s.running_turn ~= 0 then redis.call('HINCRBY', COUNTS, 'running', -1) end
  local open = s.waiting + (s.running_turn ~= 0 and 1 or 0)
  if redis.call('HINCRBY', COUNTS, owner_turns(), 0 - open) <= 0 then -- Redis 7.0 rejects -0
    redis.call('HDEL', COUNTS, owner_turns()) -- finish_turn leaves a 0
  end
  redis.call('PUBLISH', EVENTS, reason)
end
