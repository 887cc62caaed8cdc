#!lua flags=allow-oom
-- Remove a session from the waiters of a model.
-- include: limiter
--
-- KEYS       see lib/limiter.lua
-- ARGV[1]    session id
-- ARGV[2]    max concurrent calls; 0 for no limit
-- ARGV[3]    max waiters to return
--
-- Replies: session_id...   the waiters that may call now; none if the session did not wait
if redis.call('ZREM', WAITERS, ARGV[1]) == 0 then return {} end
return next_waiters(tonumber(ARGV[2]), tonumber(ARGV[3]))
