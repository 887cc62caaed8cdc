#!lua flags=allow-oom
-- Allow calls to a model at once: forget its Retry-After and its failures.
-- include: limiter
--
-- KEYS       see lib/limiter.lua
-- ARGV[1]    max concurrent calls; 0 for no limit
-- ARGV[2]    max waiters to return
--
-- Replies: session_id...   the waiters that may call now
unblock()
close_circuit()
return next_waiters(tonumber(ARGV[1]), tonumber(ARGV[2]))
