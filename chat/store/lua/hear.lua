#!lua flags=allow-oom
-- A model has begun to answer a call: it is well, whatever becomes of the call.
-- include: gate
--
-- ARGV[1] most calls at once, or 0    ARGV[2] most waiters to name
--
-- the waiters whose turn it is now...
mend()
return next_in_line(tonumber(ARGV[1]), tonumber(ARGV[2]))
