#!lua flags=allow-oom
-- Allow calls to a model at once: forget its Retry-After and failures, and those of its parties.
-- include: limiter/calls
--
-- KEYS       see lib/limiter/keys.lua
-- ARGV[1]    see lib/limiter/keys.lua
--
-- Replies: session_id...   the waiters that may call now
redis.call('UNLINK', HEALTH)
redis.call('HDEL', LIMITER, 'degraded')
state.degraded = nil
return call_waiters()
