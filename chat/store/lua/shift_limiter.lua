#!lua flags=allow-oom
-- Correct the times of a model's limiter after the clock has stepped, except those of its rates:
-- lib/rate.lua corrects them itself.
-- include: limiter/health shift
--
-- KEYS       see lib/limiter/keys.lua
-- ARGV[1]    see lib/limiter/keys.lua
-- ARGV[2-3]  step and since, see lib/shift.lua
--
-- Replies:
--   SHIFTED
local shift = shift_by(tonumber(ARGV[2]), tonumber(ARGV[3]))
if state.last_success then
  redis.call('HSET', LIMITER, 'last_success', shift(tonumber(state.last_success)))
end
local found = redis.call('HGETALL', HEALTH)
for i = 1, #found, 2 do
  local health = cjson.decode(found[i + 1])
  for _, name in ipairs({ 'failed_at', 'open_until', 'retry_after_until', 'next_trial_at',
    'reported_until', 'blocked_at' }) do
    if health[name] then health[name] = shift(health[name]) end
  end
  for _, trial in pairs(health.trials or {}) do trial.ends_at = shift(trial.ends_at) end
  save_health(found[i], health)
end
for _, key in ipairs({ SLOTS, WAITERS }) do
  local members = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #members, 2 do
    redis.call('ZADD', key, shift(tonumber(members[i + 1])), members[i])
  end
end
return { 'SHIFTED' }
