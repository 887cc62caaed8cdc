-- Budgets: what calls to models have cost in a period, and what is reserved for calls in progress.
-- include: clock
--
-- KEYS[1]    hash: reservation -> "<micro-units> <tokens> <prompt tokens> <price> <budgets>", where
--            the price is "<input> <cached input> <output>", micro-units per million tokens
-- KEYS[2]    zset: reservation -> ms at which a worker must check it
-- KEYS[3]    zset: "<key> <max micro-units> <max tokens> <ends_at>" of each exceeded budget ->
--            ends_at
-- KEYS[4...] hashes: the budgets that the call counts towards. Their names contain the period: day,
--            month or ever.
--              ends_at                     ms; end of the current period, UTC
--              spent, tokens               micro-units and tokens of ended calls in this period
--              reserved, reserved_tokens   of calls in progress
--              lost, lost_tokens           the part of spent and tokens that was never reported,
--                                          because the worker of the call was lost
--
-- A call that is in progress when a period ends counts towards the next one.
local RESERVATIONS, CHECKS, EXCEEDED = KEYS[1], KEYS[2], KEYS[3]
local DAY = 86400000 -- ms
local MONTHS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 } -- days
local FIELDS = { 'spent', 'tokens', 'reserved', 'reserved_tokens', 'lost', 'lost_tokens' }

local function is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

-- Return the ms at which the current day or month ends.
local function period_end(period)
  local today, year, first = math.floor(now / DAY), 1970, 0 -- first: day of the period's year
  if period == 'day' then return (today + 1) * DAY end
  while first + (is_leap(year) and 366 or 365) <= today do
    first, year = first + (is_leap(year) and 366 or 365), year + 1
  end
  for month, days in ipairs(MONTHS) do
    first = first + days + (month == 2 and is_leap(year) and 1 or 0)
    if today < first then return first * DAY end
  end
end

-- Return the fields of a budget in the current period.
local function read_budget(key)
  local period = string.match(key, '^chat:{budgets}:%a+:(%a+)')
  local found = redis.call('HMGET', key, 'ends_at', unpack(FIELDS))
  local budget = { ends_at = tonumber(found[1] or 0) }
  for i, name in ipairs(FIELDS) do budget[name] = tonumber(found[i + 1] or 0) end
  if period == 'ever' then return budget end
  local has_ended = budget.ends_at <= now
  if has_ended then
    for _, name in ipairs({ 'spent', 'tokens', 'lost', 'lost_tokens' }) do budget[name] = 0 end
  end
  -- A period that ends later than a whole one from now belongs to a clock that has stepped back.
  -- What it has spent counts until the clock has caught up.
  if has_ended or budget.ends_at > now + (period == 'day' and 1 or 31) * DAY then
    budget.ends_at, budget.is_new = period_end(period), true
  end
  return budget
end

local function save_budget(key, budget)
  local values = { 'ends_at', budget.ends_at }
  for _, name in ipairs(FIELDS) do
    values[#values + 1] = name
    values[#values + 1] = budget[name]
  end
  redis.call('HSET', key, unpack(values))
  if budget.is_new then redis.call('PEXPIREAT', key, budget.ends_at + DAY) end
end

-- Return micro-units, rounded up once per call; chat/domain/prices.py computes the same.
local function cost_of(prompt, completion, cached, input, cached_input, output)
  local total = (prompt - cached) * input + cached * cached_input + completion * output
  return math.floor((total + 999999) / 1000000)
end
