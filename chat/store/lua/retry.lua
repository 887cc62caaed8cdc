#!lua flags=allow-oom
-- Give the running turn back to the inbox's head, to be tried again later.
-- include: session event reply settle life lease restart
--
-- ARGV[3] fence    ARGV[4] nonce    ARGV[5] delay, ms
-- ARGV[6] reason: queue, rate_limited or model_loading
-- ARGV[7] 1 when this attempt counts, 0 when it does not
-- ARGV[8] model to ask next time, JSON string, or null for the session's own
-- ARGV[9] error that caused it, JSON object or null
--
-- RETRYING | ALREADY: this claim has ended | LEASE_LOST | GONE
s = read('v', 'turn', 'fence', 'nonce', 'done', 'head', 'tail', 'waiting', 'attempt')
local no = lost(s)
if no then return { no } end

local retry_at = now + ARGV[5]
if ARGV[7] == '0' then s.attempt = s.attempt - 1 end
restart(retry_at, ARGV[6], { model = cjson.decode(ARGV[8]), error = cjson.decode(ARGV[9]) })
ended_by_holder()
due_at(retry_at)
tell()
return { 'RETRYING' }
