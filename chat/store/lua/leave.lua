#!lua flags=allow-oom
-- A call to a model is over: free its slot, and open or close the gate by how it went.
-- include: gate
--
-- ARGV[1] caller    ARGV[2] result: ok, failed, retry_after or neutral
-- ARGV[3] ms for which retry_after closes the gate    ARGV[4] why: rate_limited, model_loading or queue
-- ARGV[5] callers who must meet with failure, and nobody with success, to open the circuit
-- ARGV[6] ms until it is tried again
-- ARGV[7] most calls at once, or 0    ARGV[8] most waiters to name
-- ARGV[9] ms after which the gate's keys are forgotten when nothing moves
--
-- the waiters whose turn it is now...
local CALLER, HOW, MEMORY = ARGV[1], ARGV[2], ARGV[9]
redis.call('ZREM', SLOTS, CALLER)
local g = redis.call('HMGET', GATE, 'closed', 'half', 'prober')
if g[3] == CALLER then redis.call('HDEL', GATE, 'probe', 'prober') end

local function close(ms, why)
  local closed = math.max(tonumber(g[1] or 0), now + ms)
  redis.call('HSET', GATE, 'closed', closed, 'why', why)
  redis.call('PEXPIRE', GATE, closed - now + MEMORY)
end

if HOW == 'ok' then
  mend()
elseif HOW == 'retry_after' then
  close(tonumber(ARGV[3]), ARGV[4])
elseif HOW == 'failed' then
  redis.call('SADD', FAILED, CALLER)
  local failures = redis.call('SCARD', FAILED)
  redis.call('HSET', GATE, 'failures', failures)
  for _, key in ipairs({ GATE, FAILED }) do redis.call('PEXPIRE', key, MEMORY) end
  if g[2] or failures >= tonumber(ARGV[5]) then
    redis.call('HSET', GATE, 'half', 1)
    close(tonumber(ARGV[6]), 'queue')
  end
end
return next_in_line(tonumber(ARGV[7]), tonumber(ARGV[8]))
