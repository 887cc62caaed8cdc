#!lua flags=allow-oom
-- Renew the lease of a running turn that has no new text.
-- include: session lease
--
-- KEYS       see lib/session.lua
-- ARGV[1-5]  see lib/session.lua and lib/lease.lua
-- LEASE      ms
--
-- Replies:
--   RENEWED cancel_requested   1 if the worker must cancel the turn
--   LEASE_LOST | SESSION_GONE
--   ALREADY                    this claim has finished
local LEASE = unpack(ARGV, 6)
read('schema', 'running_turn', 'fence', 'nonce', 'deadline', 'next_deadline', 'cancel_requested')
local err = check_lease()
if err then return { err } end
renew_lease(LEASE)
save()
return { 'RENEWED', s.cancel_requested }
