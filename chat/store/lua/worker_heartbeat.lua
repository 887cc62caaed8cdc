#!lua flags=allow-oom
-- Record a worker's heartbeat.
--
-- KEYS[1]    hash: workers
-- ARGV[1]    name of the worker
-- ARGV[2]    turns in progress
-- ARGV[3]    seconds for which a silent worker stays listed
--
-- Replies:
--   RECORDED
local clock = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], '{"at":' .. clock[1] .. '.' ..
  string.format('%06d', clock[2]) .. ',"running":' .. ARGV[2] .. '}')
redis.call('EXPIRE', KEYS[1], ARGV[3])
return { 'RECORDED' }
