#!lua flags=allow-oom
-- Name the sessions, or the deliveries, of a partition that are due, and keep other workers off
-- them for a moment.
--
-- KEYS[1] due, or outbox
-- ARGV[1] most members    ARGV[2] ms for which they are this caller's to look at
--
-- member...
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do
  redis.call('ZADD', KEYS[1], now + ARGV[2], id)
end
return ids
