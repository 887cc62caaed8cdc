-- The right to write a reply: the claim's fence and nonce, which every later write carries.
--   ARGV[3] fence   ARGV[4] nonce
-- The fence orders claims; the nonce tells apart two claims that bear the same fence because a
-- failover rolled the first one back.
local function lost(s)
  if not s.v then return 'GONE' end
  if s.turn ~= 0 and s.fence == tonumber(ARGV[3]) and s.nonce == ARGV[4] then return false end
  return s.done == ARGV[4] and 'ALREADY' or 'LEASE_LOST'
end

-- Remember that the claim was ended by who held it: to its nonce the script answers ALREADY.
local function ended_by_holder()
  redis.call('HSET', SESSION, 'done', ARGV[4])
end

-- Let the claim stand for another `lease` ms, but never past the turn's own deadline.
local function renew(s, lease)
  local ends = math.min(now + lease, s.deadline)
  redis.call('HSET', SESSION, 'lease', ends)
  redis.call('ZADD', DUE, ends, ID)
end
