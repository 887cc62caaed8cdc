-- The gate of a model: its keys, the time, who is next.
--
-- KEYS[1] hash: the gate          closed until ms and why, failures (how many FAILED has), half (the
--                                 circuit is half-open), probe (until ms) and prober (a caller), tat
--                                 and token_tat (GCRA, ms)
-- KEYS[2] zset: slots taken       caller -> ms until which its slot is held without a sign of life
-- KEYS[3] zset: line of waiters   caller -> ms at which it was told to come again
-- KEYS[4] set: callers whose calls have failed since the model was last heard
local GATE, SLOTS, LINE, FAILED = unpack(KEYS)

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Slots that are held; others stay in their set until `hold` finds that their time has run out.
local function taken()
  return redis.call('ZCOUNT', SLOTS, '(' .. now, '+inf')
end

-- Those whose turn it is, the longest waiting first, at most `limit`: as many as there are slots of
-- `most` calls at once (0 for any number), one at a half-open circuit, none at a closed gate.
local function next_in_line(most, limit)
  local g = redis.call('HMGET', GATE, 'closed', 'half')
  if tonumber(g[1] or 0) > now then return {} end
  local free = g[2] and 1 or limit
  if most > 0 then free = math.min(free, most - taken()) end
  if free <= 0 then return {} end
  return redis.call('ZRANGE', LINE, 0, free - 1)
end

-- The model answers: earlier failures are forgotten, and the circuit closes.
local function mend()
  redis.call('HDEL', GATE, 'failures', 'half', 'probe', 'prober')
  redis.call('UNLINK', FAILED)
end
