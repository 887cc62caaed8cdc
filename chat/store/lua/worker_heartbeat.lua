#!lua flags=allow-oom
-- Record a worker's heartbeat.
-- include: clock
--
-- KEYS[1]    hash: workers
-- ARGV[1]    name of the worker
-- ARGV[2]    turns in progress
-- ARGV[3]    seconds for which a silent worker stays listed
--
-- Replies:
--   RECORDED
redis.call('HSET', KEYS[1], ARGV[1],
  '{"at":' .. string.format('%.3f', now / 1000) .. ',"running":' .. ARGV[2] .. '}')
redis.call('EXPIRE', KEYS[1], ARGV[3])
return { 'RECORDED' }
