#!lua flags=allow-oom
-- Return the due members of a partition, and postpone them so that other workers skip them.
-- include: clock
--
-- KEYS[1]    zset: due sessions, or the outbox
-- ARGV[1]    max members
-- ARGV[2]    ms by which they are postponed
--
-- Replies: member...
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do
  redis.call('ZADD', KEYS[1], now + ARGV[2], id)
end
return ids
