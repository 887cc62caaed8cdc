-- The right to write a reply: the claim's fence and nonce, which every later write carries.
-- Needs `s` with v, turn, fence, nonce, done.
--   ARGV[4] fence   ARGV[5] nonce
-- The fence orders claims; the nonce tells apart two claims that bear the same fence because a
-- failover rolled the first one back.
local function lost()
  if not s.v then return 'GONE' end
  if s.turn ~= 0 and s.fence == tonumber(ARGV[4]) and s.nonce == ARGV[5] then return false end
  return s.done == ARGV[5] and 'ALREADY' or 'LEASE_LOST'
end

-- What `fragment`, which begins at byte `offset` of the reply, adds to what has been said. Nil when
-- there is a gap between them: a failover has lost what stood there, and the reply with it.
local function unsaid(offset, fragment)
  if tonumber(offset) > s.said then return nil end
  return string.sub(fragment, s.said - offset + 1)
end

-- Let the claim stand for another `lease` ms, but never past the turn's own deadline. Needs `s` with
-- deadline, soonest.
local function renew(lease)
  set('lease', math.min(now + lease, s.deadline))
  due_by(s.lease)
end
