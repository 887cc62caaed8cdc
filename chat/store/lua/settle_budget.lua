#!lua flags=allow-oom
-- Replace a reservation by what the call has cost, once.
-- include: budgets
--
-- KEYS       see lib/budgets.lua
-- ARGV[1]    id of the reservation
-- ARGV[2]    tokens that the call used, "<prompt> <completion> <cached>"; `prompt` if the worker was
--            lost before any text; `all` if nothing is known
--
-- Replies:
--   SETTLED micro-units tokens
--   UNKNOWN                      it does not exist, or is settled
local ID, USAGE = ARGV[1], ARGV[2]
local stored = redis.call('HGET', RESERVATIONS, ID)
if not stored then return { 'UNKNOWN' } end
local reserved, reserved_tokens, estimate, input, cached_input, output =
  string.match(stored, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) ')
local prompt, completion, cached = string.match(USAGE, '^(%d+) (%d+) (%d+)$')
local is_lost = not prompt
local cost, tokens
if USAGE == 'all' then
  cost, tokens = tonumber(reserved), tonumber(reserved_tokens)
else
  prompt, completion, cached = prompt or estimate, completion or 0, cached or 0
  cost = cost_of(prompt, completion, cached, input, cached_input, output)
  tokens = prompt + completion
end

for i = 4, #KEYS do
  local budget = read_budget(KEYS[i])
  budget.reserved = math.max(0, budget.reserved - reserved)
  budget.reserved_tokens = math.max(0, budget.reserved_tokens - reserved_tokens)
  budget.spent, budget.tokens = budget.spent + cost, budget.tokens + tokens
  if is_lost then
    budget.lost, budget.lost_tokens = budget.lost + cost, budget.lost_tokens + tokens
  end
  save_budget(KEYS[i], budget)
end
redis.call('HDEL', RESERVATIONS, ID)
redis.call('ZREM', CHECKS, ID)
return { 'SETTLED', cost, tokens }
