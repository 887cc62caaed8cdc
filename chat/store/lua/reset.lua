#!lua flags=allow-oom
-- Clear the session's history and keep the session; open turns are cancelled first.
-- include: session access event reply settle life idem
--
-- ARGV[3] SHA-256 of the caller's token, or ''    ARGV[4] margin of key TTLs, seconds
-- ARGV[5] idempotency key, '' for none            ARGV[6] digest of the request
--
-- RESET | REPLAYED | MISMATCH | GONE | EXPIRED
s = read('v', 'token', 'expires', 'turn', 'head', 'tail', 'waiting', 'attempt', 'ttl',
  'max_at')
local no = refused(s, ARGV[3])
if no then return { no } end
local first = ARGV[5] ~= '' and first_answer(ARGV[5], ARGV[6])
if first then return { first == 'MISMATCH' and first or 'REPLAYED' } end

if s.turn ~= 0 then
  settle(s.turn, 'cancelled', { finish_reason = 'cancelled' }, redis.call('GET', PARTIAL) or '')
  release()
end
for turn = s.head, s.tail do
  if is_open(turn) then settle(turn, 'cancelled', { finish_reason = 'cancelled' }, '') end
end
step_to(s.tail + 1)
redis.call('DEL', MESSAGES)
redis.call('HSET', SESSION, 'first', 2 * s.tail + 1, 'bytes', 0)
log('session.reset', '')
if ARGV[5] ~= '' then keep_answer(ARGV[5], ARGV[6], '') end
keep_alive(ARGV[4])
due_at(s.expires)
tell()
return { 'RESET' }
