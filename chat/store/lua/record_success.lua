#!lua flags=allow-oom
-- Record that a model has started to answer, and close its circuit.
-- include: limiter
--
-- KEYS       see lib/limiter.lua
-- ARGV[1]    max concurrent calls; 0 for no limit
-- ARGV[2]    max waiters to return
--
-- Replies: session_id...   the waiters that may call now
close_circuit()
return next_waiters(tonumber(ARGV[1]), tonumber(ARGV[2]))
