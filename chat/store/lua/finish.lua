#!lua flags=allow-oom
-- Commit the one outcome of the running turn.
-- include: session event reply settle life lease
--
-- ARGV[3] fence    ARGV[4] nonce    ARGV[5] margin of key TTLs, seconds
-- ARGV[6] offset and ARGV[7] fragment: the last piece, as in append
-- ARGV[8] status: completed, incomplete, failed or cancelled
-- ARGV[9] finish_reason, model, usage and error as they are to stand in the reply, JSON object
-- ARGV[10] ms until the first look at what waits, in case that its wake-up is lost
--
-- FINISHED waiting (turns that wait now) | ALREADY: this claim has ended | LEASE_LOST | GONE
s = read('v', 'turn', 'fence', 'nonce', 'done', 'head', 'tail', 'waiting', 'attempt', 'ttl',
  'max_at')
local no = lost(s)
if no then return { no } end

local fragment = unsaid(ARGV[6], ARGV[7])
log_delta(s.turn, fragment)
local content = (redis.call('GET', PARTIAL) or '') .. fragment
settle(s.turn, ARGV[8], cjson.decode(ARGV[9]), content)
release()
ended_by_holder()
keep_alive(ARGV[5])
due_at(s.waiting > 0 and now + ARGV[10] or s.expires)
tell()
return { 'FINISHED', s.waiting }
