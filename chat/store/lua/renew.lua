#!lua flags=allow-oom
-- Renew the lease of a running turn that has no new text.
-- include: session lease
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    fence
-- ARGV[5]    nonce
-- ARGV[6]    lease, ms
--
-- Replies:
--   RENEWED cancel_requested   1 if the worker must cancel the turn
--   LEASE_LOST | SESSION_GONE
--   ALREADY                    this claim has finished
read('schema', 'running_turn', 'fence', 'nonce', 'finished_nonce', 'deadline', 'next_deadline',
  'cancel_requested')
local err = check_lease()
if err then return { err } end
renew_lease(ARGV[6])
save()
return { 'RENEWED', s.cancel_requested }
