-- The lease of a running turn. Needs `s` with schema, running_turn, fence, nonce.
--
-- ARGV[4]    FENCE of the claim
-- ARGV[5]    NONCE of the claim
--
-- A lease ends when its worker finishes or retries the turn, or when recover, requeue or reset ends
-- it. The passing of lease_until does not end it: until recover runs, its worker may still write.
--
-- The fence orders claims. The nonce distinguishes two claims with the same fence, which exist if a
-- failover has lost the first one.
local FENCE, NONCE = ARGV[4], ARGV[5]

-- Return the reply that refuses the write, or false if the caller holds the lease.
local function check_lease()
  if not s.schema then return 'SESSION_GONE' end
  if s.running_turn ~= 0 and s.fence == tonumber(FENCE) and s.nonce == NONCE then
    return false
  end
  return redis.call('HGET', SESSION, 'finished_nonce') == NONCE and 'ALREADY' or 'LEASE_LOST'
end

-- Return what a delta that starts at byte `offset` adds to the stored output, or nil if there is a gap:
-- a failover has lost part of the reply. Needs `s` with partial_bytes.
local function new_text(offset, delta)
  if tonumber(offset) > s.partial_bytes then return nil end
  return string.sub(delta, s.partial_bytes - offset + 1)
end

-- Extend the lease by `lease` ms from now, but not beyond the turn's deadline. Needs `s` with
-- deadline, next_deadline.
local function renew_lease(lease)
  set('lease_until', math.min(now + lease, s.deadline))
  set_due_by(s.lease_until)
end
