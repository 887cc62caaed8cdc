-- Opening a session, as `create` and `restore` do. Needs facets.lua.

-- Write the session's fields, from ARGV[4...13] of create. Gives the answer to a call that was made
-- before, or to one for an id that is taken.
local function open_session()
  read('v', 'token', 'created', 'expires')
  if s.v then
    return { s.token == ARGV[4] and 'EXISTS' or 'TAKEN', s.created, s.expires }
  end
  s.ttl, s.max_at = tonumber(ARGV[5]), now + ARGV[6] * 1000
  redis.call('HSET', SESSION, 'v', 1, 'token', ARGV[4], 'ttl', s.ttl, 'created', now,
    'max_at', s.max_at, 'name', ARGV[7], 'system_prompt', ARGV[8], 'model', ARGV[9],
    'context', ARGV[10], 'metadata', ARGV[11], 'webhook_url', ARGV[12],
    'seq', 0, 'head', 1, 'tail', 0, 'first', 1, 'turn', 0, 'fence', 0, 'waiting', 0)
  redis.call('HINCRBY', COUNTS, 'sessions', 1)
  note_facets(ARGV[9], ARGV[13])
  return nil
end
