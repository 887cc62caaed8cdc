#!lua flags=allow-oom
-- Remove a session from the waiters of a model.
-- include: calls
--
-- KEYS       see lib/limiter.lua
-- ARGV[1]    see lib/limiter.lua
-- ARGV[2]    session id
--
-- Replies: session_id...   the waiters that may call now; none if the session did not wait
if not remove_waiter(ARGV[2]) then return {} end
return call_waiters()
