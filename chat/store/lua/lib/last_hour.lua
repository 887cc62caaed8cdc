-- Outcomes per minute and latencies per ten minutes, of the last hour.
local HOUR = 60 -- minutes

local function delete_before(key, minute)
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if tonumber(string.match(field, '^%d+')) < minute then redis.call('HDEL', key, field) end
  end
end

-- key: hash. field: "<minute since the epoch>:<name>".
local function add_last_hour(key, field, by)
  if redis.call('HINCRBY', key, field, by) > tonumber(by) then return end
  delete_before(key, string.match(field, '^%d+') - HOUR)
  redis.call('EXPIRE', key, 2 * HOUR * 60)
end
