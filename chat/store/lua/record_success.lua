#!lua flags=allow-oom
-- Record that a model has started to answer a call.
-- include: limiter
--
-- KEYS       see lib/limiter.lua
-- ARGV[1]    max concurrent calls; 0 for no limit
-- ARGV[2]    max waiters to return
-- ARGV[3]    session id of the call
--
-- Replies: session_id...   the waiters that may call now
record_success(ARGV[3])
return next_waiters(tonumber(ARGV[1]), tonumber(ARGV[2]))
