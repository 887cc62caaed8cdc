-- The numbers of waiting turns: of a partition, of its parties, and of all addresses together.
-- In WAITING_BY_PARTY, counts the waiting turns of all addresses, whose parties start with it.
local ALL_ADDRESSES = 'ip:'

-- Return whether the session was opened without API key or JWT.
local function is_of_address()
  return string.sub(s.party or '', 1, #ALL_ADDRESSES) == ALL_ADDRESSES
end

local function count_waiting_of(party, change)
  if tonumber(redis.call('ZINCRBY', WAITING_BY_PARTY, change, party)) <= 0 then
    redis.call('ZREM', WAITING_BY_PARTY, party) -- see lib/forget_expired.lua
  end
end

-- Change the number of waiting turns of the partition, and of the session's party in it.
local function count_waiting(change)
  if redis.call('HINCRBY', COUNTS, 'waiting', change) <= 0 then
    redis.call('DEL', WAITING_BY_PARTY) -- older versions do not count down
    return
  end
  count_waiting_of(s.party or '', change)
  if is_of_address() then count_waiting_of(ALL_ADDRESSES, change) end
end
