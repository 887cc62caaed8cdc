-- Budgets that are exceeded, as the web process that calls the script knows them.

-- Return the reply if a budget of the session's client is exceeded, or nil.
-- exceeded: a line "<owner> <ends_at> <budget>" for each exceeded budget, the one that ends last
-- first. The owner is `deployment`, or has a prefix: tenant:, key: or user:.
local function over_budget(exceeded)
  if exceeded == '' then return nil end
  local tenant, api_key, owner =
    unpack(redis.call('HMGET', SESSION, 'tenant', 'api_key', 'owner'))
  for line in string.gmatch(exceeded, '[^\n]+') do
    local name, ends_at, budget = string.match(line, '^(%S+) (%d+) (%S+)$')
    local is_own = name == 'deployment' or name == 'tenant:' .. (tenant or '') or
      name == 'key:' .. (api_key or '') or name == owner
    if is_own and tonumber(ends_at) > now then
      return { 'BUDGET_EXCEEDED', ends_at - now, budget, tonumber(ends_at) }
    end
  end
end
