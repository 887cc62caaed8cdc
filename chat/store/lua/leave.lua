#!lua flags=allow-oom
-- A call to a model is over: free its slot, and open or close the gate by how it went.
--
-- KEYS as in enter
-- ARGV[1] caller    ARGV[2] how it went: ok, failed, held (the vendor said when to come again), left
-- ARGV[3] ms for which a held gate is closed    ARGV[4] why: rate_limited, model_loading or queue
-- ARGV[5] failures in a row that open the circuit    ARGV[6] ms until it is tried again
-- ARGV[7] most calls at once, or 0    ARGV[8] most waiters to name
-- ARGV[9] ms after which the gate's keys are forgotten when nothing moves
--
-- the waiters whose turn it is now...
local GATE, SLOTS, LINE = KEYS[1], KEYS[2], KEYS[3]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREM', SLOTS, ARGV[1])

local function close(ms, why)
  local closed = math.max(tonumber(redis.call('HGET', GATE, 'closed') or 0), now + ms)
  redis.call('HSET', GATE, 'closed', closed, 'why', why)
  redis.call('PEXPIRE', GATE, closed - now + ARGV[9])
end

if ARGV[2] == 'ok' then
  redis.call('HDEL', GATE, 'failures', 'half', 'probe')
elseif ARGV[2] == 'held' then
  redis.call('HDEL', GATE, 'probe')
  close(tonumber(ARGV[3]), ARGV[4])
elseif ARGV[2] == 'failed' then
  local failures = redis.call('HINCRBY', GATE, 'failures', 1)
  redis.call('PEXPIRE', GATE, ARGV[9])
  if failures >= tonumber(ARGV[5]) then
    redis.call('HSET', GATE, 'half', 1)
    redis.call('HDEL', GATE, 'probe')
    close(tonumber(ARGV[6]), 'queue')
  end
else
  redis.call('HDEL', GATE, 'probe')
end

if tonumber(redis.call('HGET', GATE, 'closed') or 0) > now then return {} end
local free = tonumber(ARGV[8])
if ARGV[7] ~= '0' then free = math.min(free, ARGV[7] - redis.call('ZCARD', SLOTS)) end
if free <= 0 then return {} end
return redis.call('ZRANGE', LINE, 0, free - 1)
