-- The end of a session. Needs facets.lua, and `s` with turn, waiting.

-- Take every trace of the session away and tell who follows it.
local function remove(reason)
  redis.call('UNLINK', SESSION, MESSAGES, PARTIAL, EVENTS, IDEM)
  redis.call('ZREM', DUE, ID)
  forget_facets()
  for _, key in ipairs({ INDEX, WAITING, RUNNING }) do redis.call('ZREM', key, ID) end
  redis.call('HINCRBY', COUNTS, 'sessions', -1)
  if s.waiting > 0 then redis.call('HINCRBY', COUNTS, 'waiting', -s.waiting) end
  if s.turn ~= 0 then redis.call('HINCRBY', COUNTS, 'running', -1) end
  redis.call('PUBLISH', EVENTS, reason)
end
