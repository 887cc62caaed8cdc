#!lua
-- Open a session.
-- include: session life
--
-- ARGV[4] SHA-256 of the token, hex
-- ARGV[5] ttl, seconds           ARGV[6] greatest age, seconds
-- ARGV[7] name, JSON string      ARGV[8] system prompt, JSON string or null
-- ARGV[9] model, JSON string     ARGV[10] context, JSON object   ARGV[11] metadata, JSON object
-- ARGV[12] webhook, JSON string or null
--
-- CREATED created expires (ms) | EXISTS created expires: the same call again | TAKEN
read('v', 'token', 'created', 'expires')
if s.v then
  return { s.token == ARGV[4] and 'EXISTS' or 'TAKEN', s.created, s.expires }
end
s.ttl, s.max_at = tonumber(ARGV[5]), now + ARGV[6] * 1000
redis.call('HSET', SESSION, 'v', 1, 'token', ARGV[4], 'ttl', s.ttl, 'created', now,
  'max_at', s.max_at, 'name', ARGV[7], 'system_prompt', ARGV[8], 'model', ARGV[9],
  'context', ARGV[10], 'metadata', ARGV[11], 'webhook_url', ARGV[12],
  'seq', 0, 'head', 1, 'tail', 0, 'first', 1, 'turn', 0, 'fence', 0, 'waiting', 0)
keep_alive(true)
save()
due_at(s.expires)
redis.call('HINCRBY', COUNTS, 'sessions', 1)
return { 'CREATED', now, s.expires }
