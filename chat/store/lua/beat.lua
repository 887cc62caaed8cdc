#!lua flags=allow-oom
-- Write a worker's sign of life.
--
-- KEYS[1] hash: workers
-- ARGV[1] worker    ARGV[2] turns that it has in flight
-- ARGV[3] seconds for which a worker that shows no life is listed
--
-- BEATEN
local clock = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], '{"at":' .. clock[1] .. '.' ..
  string.format('%06d', clock[2]) .. ',"running":' .. ARGV[2] .. '}')
redis.call('EXPIRE', KEYS[1], ARGV[3])
return { 'BEATEN' }
