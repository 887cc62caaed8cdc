#!lua flags=allow-oom
-- Reserve what a call to a model can cost in all budgets that it counts towards, or in none.
-- include: budgets
--
-- KEYS       see lib/budgets.lua
-- ARGV[1]    id of the reservation
-- ARGV[2]    tokens of the prompt, estimated
-- ARGV[3]    max tokens of the reply
-- ARGV[4]    price: "<input> <cached input> <output>", micro-units per million tokens
-- ARGV[5]    ms after which a worker must check the reservation
-- ARGV[6]    the budgets' names, for `settle_budget`
-- ARGV[7]    micro-units of the cheapest call
-- ARGV[8]    tokens of the shortest call
-- ARGV[9...] for each budget: max micro-units, max tokens; 0 for no limit
--
-- Replies:
--   RESERVED
--   EXCEEDED index ms ends_at   too little is left in this period, which ends in `ms`
--   BUSY index ms ends_at       too little is left until calls in progress have ended
-- If several budgets are exceeded, the reply has the one that ends last.
local ID, MIN_COST, MIN_TOKENS = ARGV[1], tonumber(ARGV[7]), tonumber(ARGV[8])
if redis.call('HEXISTS', RESERVATIONS, ID) == 1 then return { 'RESERVED' } end
local prompt, completion = tonumber(ARGV[2]), tonumber(ARGV[3])
local input, cached_input, output = string.match(ARGV[4], '^(%d+) (%d+) (%d+)$')
local cost = cost_of(prompt, completion, 0, math.max(input, cached_input), 0, output)
local tokens = prompt + completion

local function is_over(limit, spent, more)
  return limit > 0 and spent + more > limit
end

-- Return whether the rest of the period is too little for the call, and for any call.
local function is_exceeded(budget, limit, max_tokens)
  if is_over(limit, budget.spent, cost) then return true, is_over(limit, budget.spent, MIN_COST) end
  return is_over(max_tokens, budget.tokens, tokens), is_over(max_tokens, budget.tokens, MIN_TOKENS)
end

local function mark_exceeded(key, budget, limit, max_tokens)
  redis.call('ZREMRANGEBYSCORE', EXCEEDED, '-inf', now)
  redis.call('ZADD', EXCEEDED, budget.ends_at,
    string.format('%s %s %s %.0f', key, limit, max_tokens, budget.ends_at))
  redis.call('PEXPIREAT', EXCEEDED, redis.call('ZREVRANGE', EXCEEDED, 0, 0, 'WITHSCORES')[2])
end

local budgets, exceeded, busy = {}, nil, nil
for i = 4, #KEYS do
  local key, limit, max_tokens = KEYS[i], ARGV[2 * i + 1], ARGV[2 * i + 2]
  local budget = read_budget(key)
  local is_over_now, is_over_for_all =
    is_exceeded(budget, tonumber(limit), tonumber(max_tokens))
  if is_over_for_all then mark_exceeded(key, budget, limit, max_tokens) end
  if is_over_now then
    if not exceeded or budget.ends_at > budgets[exceeded].ends_at then exceeded = i end
  elseif is_over(tonumber(limit), budget.spent + budget.reserved, cost) or
      is_over(tonumber(max_tokens), budget.tokens + budget.reserved_tokens, tokens) then
    busy = i
  end
  budgets[i] = budget
end
local refusing = exceeded or busy
if refusing then
  local ends_at = budgets[refusing].ends_at
  return { exceeded and 'EXCEEDED' or 'BUSY', refusing - 4, ends_at - now, ends_at }
end

for i = 4, #KEYS do
  local budget = budgets[i]
  budget.reserved, budget.reserved_tokens = budget.reserved + cost, budget.reserved_tokens + tokens
  save_budget(KEYS[i], budget)
end
redis.call('HSET', RESERVATIONS, ID, string.format('%.0f %.0f %s %s %s', cost, tokens, ARGV[2],
  ARGV[4], ARGV[6]))
redis.call('ZADD', CHECKS, now + ARGV[5], ID)
return { 'RESERVED' }
