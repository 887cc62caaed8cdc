#!lua flags=allow-oom
-- Record that a model has started to answer a call.
-- include: limiter/calls
--
-- KEYS       see lib/limiter/keys.lua
-- ARGV[1]    see lib/limiter/keys.lua
-- ARGV[2]    caller
--
-- Replies: session_id...   the waiters that may call now
local nodes, session = nodes_of(ARGV[2])
local lease_until = tonumber(redis.call('ZSCORE', SLOTS, ARGV[2]) or 0)
if lease_until > now then
  redis.call('ZADD', SLOTS, math.floor(lease_until) + HAS_OUTPUT, ARGV[2])
end
count_trial(nodes[2], session, 'ok')
record_success(nodes, session)
return call_waiters()
