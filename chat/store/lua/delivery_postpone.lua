#!lua flags=allow-oom
-- Postpone pending deliveries of a partition whose receiver is skipped.
-- include: clock
--
-- KEYS[1]    zset: the outbox
-- KEYS[2]    hash: counts of the partition
-- ARGV[1]    ms
-- ARGV[2..]  members
--
-- Replies: OK
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], 'XX', 'GT', now + ARGV[1], ARGV[i])
end
redis.call('HINCRBY', KEYS[2], 'webhook_skipped', #ARGV - 1)
return 'OK'
