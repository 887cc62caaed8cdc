#!lua flags=allow-oom
-- Remove a session from the waiters of a model.
-- include: limiter/calls
--
-- KEYS       see lib/limiter/keys.lua
-- ARGV[1]    see lib/limiter/keys.lua
-- ARGV[2]    session id
--
-- Replies: session_id...   the waiters that may call now; none if the session did not wait
if not remove_waiter(ARGV[2]) then return {} end
return call_waiters()
