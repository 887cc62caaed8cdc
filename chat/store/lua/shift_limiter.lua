#!lua flags=allow-oom
-- Correct the times of a model's limiter after the clock has stepped, except those of its rates:
-- lib/rate.lua corrects them itself.
-- include: limiter shift
--
-- KEYS       see lib/limiter.lua
-- ARGV[1-2]  step and since, see lib/shift.lua
--
-- Replies:
--   SHIFTED
local shift = shift_by(tonumber(ARGV[1]), tonumber(ARGV[2]))
for _, name in ipairs({ 'blocked_until', 'probe_until', 'next_probe_at' }) do
  local ms = redis.call('HGET', LIMITER, name)
  if ms then redis.call('HSET', LIMITER, name, shift(tonumber(ms))) end
end
for _, key in ipairs({ SLOTS, WAITERS }) do
  local members = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #members, 2 do
    redis.call('ZADD', key, shift(tonumber(members[i + 1])), members[i])
  end
end
return { 'SHIFTED' }
