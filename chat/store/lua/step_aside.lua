#!lua flags=allow-oom
-- A waiter has nothing to ask any more: let those behind it come up.
-- include: gate
--
-- ARGV[1] caller    ARGV[2] most calls at once, or 0    ARGV[3] most waiters to name
--
-- the waiters whose turn it is now...; none if the caller did not wait
if redis.call('ZREM', LINE, ARGV[1]) == 0 then return {} end
return next_in_line(tonumber(ARGV[2]), tonumber(ARGV[3]))
