#!lua flags=allow-oom
-- Let a call to a model pass its gate, or say when to come again.
-- include: gate
--
-- ARGV[1] caller                  ARGV[2] lease of a slot, ms      ARGV[3] most calls at once, or 0
-- ARGV[4] ms between two calls, or 0      ARGV[5] burst, calls
-- ARGV[6] ms that a token takes, or 0     ARGV[7] burst, tokens    ARGV[8] tokens of this call
-- ARGV[9] ms after which a silent waiter has lost its place
-- ARGV[10] ms after which the gate's keys are forgotten when nothing moves
-- ARGV[11] ms after which a waiter for a slot comes again by itself
-- ARGV[12] ms after which the call is of no use    ARGV[13] 1 when it waits only for the rate's sake
--
-- PASS | WAIT ms reason (rate_limited, model_loading or queue)
local CALLER = ARGV[1]
local most, interval, per_token = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
local g = redis.call('HMGET', GATE, 'closed', 'why', 'half', 'probe', 'tat', 'token_tat', 'prober')
local closed, half, probe = tonumber(g[1] or 0), g[3], tonumber(g[4] or 0)
local tat, token_tat = math.max(tonumber(g[5] or 0), now), math.max(tonumber(g[6] or 0), now)

redis.call('ZREMRANGEBYSCORE', LINE, '-inf', now - ARGV[9])
local place = redis.call('ZSCORE', LINE, CALLER)
local ahead = place and redis.call('ZCOUNT', LINE, '-inf', '(' .. place) or
  redis.call('ZCARD', LINE)

local function wait(ms, reason)
  ms = math.ceil(math.max(ms, 1))
  local comes_again = ms < tonumber(ARGV[12]) and (ARGV[13] == '0' or reason == 'rate_limited')
  if comes_again then redis.call('ZADD', LINE, now + ms, CALLER)
  else redis.call('ZREM', LINE, CALLER) end
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[10] + ms) end
  return { 'WAIT', ms, reason }
end

if closed > now then return wait(closed - now, g[2] or 'queue') end
if half and probe > now and g[7] ~= CALLER then return wait(probe - now, 'queue') end
if most > 0 and taken() + ahead >= most and
    tonumber(redis.call('ZSCORE', SLOTS, CALLER) or 0) <= now then
  return wait(ARGV[11], 'queue')
end
if interval > 0 and tat - now > (ARGV[5] - 1) * interval then
  return wait(tat - now - (ARGV[5] - 1) * interval + ahead * interval, 'rate_limited')
end
local cost = ARGV[8] * per_token
if cost > 0 and token_tat > now and token_tat + cost - now > ARGV[7] * per_token then
  return wait(math.min(token_tat - now, token_tat + cost - now - ARGV[7] * per_token),
    'rate_limited')
end

if g[1] then redis.call('HDEL', GATE, 'closed', 'why') end
redis.call('HSET', GATE, 'tat', tat + interval, 'token_tat', token_tat + cost)
if half then redis.call('HSET', GATE, 'probe', now + ARGV[2], 'prober', CALLER) end
if most > 0 then redis.call('ZADD', SLOTS, now + ARGV[2], CALLER) end
redis.call('ZREM', LINE, CALLER)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[10]) end
return { 'PASS' }
