-- The limiter of a model: rates, slots that callers share fairly, and the circuit breaker.
-- include: clock
--
-- A caller is "class party owner session". A node is what callers have in common: "class",
-- "class party" or "class party owner". No name has a space, "|" or "}".
--
-- KEYS[1]    hash:
--              tat, token_tat   theoretical arrival times, see lib/rate.lua
--              token_cost       tokens of the last call
--              ticket           number of the last waiter that joined the queue
--              active           JSON: parties, owners: those of the last calls, [[node, ms], ...];
--                               key_at: ms of the last call of a client that is not anonymous
--              last_success     ms
--              waits:<class>, waited_ms:<class>   calls that waited, and how long in all
--              trials:<result>  trials that ended, see lib/limiter/trials.lua
--              capped_retry_afters   Retry-Afters that were longer than max_retry_after
--              degraded         1: KEYS[2] exists
-- KEYS[2]    hash: "model", or the node of a party or owner -> JSON, see lib/limiter/health.lua
-- KEYS[3]    zset: caller with a slot -> ms at which its lease ends, plus half a ms after the
--              call's first output. Until a waiter takes a promised slot, its lease is short
-- KEYS[4]    zset without scores: the queue, see lib/limiter/fair_queue.lua
-- KEYS[5]    hash: its virtual times
-- KEYS[6]    zset: waiting session -> ms at which it retries
-- KEYS[7]    hash: waiting session -> "ticket tokens joined_at caller"
-- ARGV[1]    limits: "name=value ..."
--              max_calls        concurrent calls; 0 for no limit
--              streams          1 if the model streams, else 0
--              lease            of a slot, ms
--              interval, burst  of calls, see lib/rate.lua; an interval of 0 is no limit
--              per_token, token_burst     the same of tokens
--              threshold, reset           failing sessions that open a circuit, and for how many ms
--              max_retry_after  ms for which a Retry-After blocks calls at most
--              trial_interval   ms between trials of a model that sent a Retry-After
--              wake_ups         waiters that one script wakes at most
--              waiter_ttl       ms after its retry at which a missing waiter loses its place
--              ttl              of idle keys, ms
local LIMITER, HEALTH, SLOTS, QUEUE, TAGS, WAITERS, PLACES = unpack(KEYS)
local ACTIVE_MS = 600000 -- after a call, for which parties and owners are active

local limits = {}
for name, value in string.gmatch(ARGV[1], '(%S+)=(%S+)') do limits[name] = tonumber(value) end

local STATE = { 'tat', 'token_tat', 'token_cost', 'active', 'last_success', 'degraded' }
local state = {}
for i, value in ipairs(redis.call('HMGET', LIMITER, unpack(STATE))) do
  state[STATE[i]] = value or nil
end
local active = state.active and cjson.decode(state.active) or { parties = {}, owners = {} }

-- Return the nodes of a caller, from the class down, and its session.
local function nodes_of(caller)
  local class, party, owner, session = string.match(caller, '^(%S+) (%S+) (%S+) (%S+)$')
  party = class .. ' ' .. party
  return { class, party, party .. ' ' .. owner }, session
end

-- Put a node first in a list of `active`, which keeps three.
local function record_active(list, node)
  local kept = { { node, now } }
  for _, each in ipairs(active[list]) do
    if each[1] ~= node and #kept < 3 then kept[#kept + 1] = each end
  end
  active[list] = kept
end

local function count_active(list)
  local count = 0
  for _, each in ipairs(active[list]) do
    if now - each[2] < ACTIVE_MS then count = count + 1 end
  end
  return count
end

local function count(name, amount)
  redis.call('HINCRBY', LIMITER, name, amount)
end

-- Let idle keys expire.
local function keep_alive()
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, limits.ttl) end
end
