#!lua flags=allow-oom
-- Record a worker's heartbeat, and return the workers with a recent one.
-- include: clock
--
-- KEYS[1]    hash: workers
-- ARGV[1]    name of the worker
-- ARGV[2]    turns in progress
-- ARGV[3]    seconds for which a silent worker stays listed
-- ARGV[4]    ms for which a silent worker counts as alive
--
-- Replies: worker...
redis.call('HSET', KEYS[1], ARGV[1],
  '{"at":' .. string.format('%.3f', now / 1000) .. ',"running":' .. ARGV[2] .. '}')
redis.call('EXPIRE', KEYS[1], ARGV[3])
local alive = {}
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local at = 1000 * cjson.decode(entries[i + 1]).at
  -- A time far ahead is from before the clock stepped back.
  if math.abs(now - at) < tonumber(ARGV[4]) then alive[#alive + 1] = entries[i] end
end
return alive
