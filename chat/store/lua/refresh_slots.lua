#!lua flags=allow-oom
-- Renew the slots of running calls, and give those of dead workers and missing waiters to others.
-- include: limiter/forget
--
-- KEYS       see lib/limiter/keys.lua
-- ARGV[1]    see lib/limiter/keys.lua
-- ARGV[2...] "1 caller" for each call to which the model has sent something, "0 caller" for the others
--
-- Replies: is_contended session_id...
--   is_contended   1 if a session waits
--   session_id     the waiters that may call now
for i = 2, #ARGV do
  local has_output, caller = string.sub(ARGV[i], 1, 1) == '1', string.sub(ARGV[i], 3)
  local lease_until = tonumber(redis.call('ZSCORE', SLOTS, caller) or '')
  -- A late call keeps its slot unless another call has acquired it.
  if lease_until and (lease_until > now or
      redis.call('ZCOUNT', SLOTS, '(' .. now, '+inf') < MAX_CALLS) then
    charge(nodes_of(caller), math.max(0, now - lease_until + limits.lease))
    lease_slot(caller, limits.lease, has_output)
  end
end
forget_missing_waiters()
free_expired_slots()
forget_failures()
forget_tags()
keep_alive()
local woken = call_waiters()
return { redis.call('EXISTS', QUEUE), unpack(woken) }
