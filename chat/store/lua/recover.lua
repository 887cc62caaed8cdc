#!lua flags=allow-oom
-- Look at one session that is due and put right what is wrong with it.
-- include: session event reply settle life restart
--
-- ARGV[3] ms until the next look at a session that is woken now    ARGV[4] most attempts at a turn
-- ARGV[5] margin of key TTLs, seconds
--
-- GONE: no such session | EXPIRED: it ended and was removed
-- WAKE: a turn waits and wants a worker | LIVE: nothing to do before its new due time
s = read('v', 'turn', 'head', 'tail', 'waiting', 'attempt', 'retry_at', 'lease',
  'deadline', 'cancel', 'expires', 'ttl', 'max_at')
if not s.v then
  redis.call('ZREM', DUE, ID)
  redis.call('ZREM', INDEX, ID)
  return { 'GONE' }
end
if s.turn ~= 0 and s.lease > now then
  due_at(s.lease)
  return { 'LIVE' }
end

local before = seq
if s.turn ~= 0 then -- its worker is dead or has lost touch
  local said = redis.call('GET', PARTIAL) or ''
  if s.cancel == 1 then
    settle(s.turn, 'cancelled', { finish_reason = 'cancelled' }, said)
    release()
  elseif s.deadline <= now then
    settle(s.turn, said == '' and 'failed' or 'incomplete', failure('deadline_exceeded',
      'The turn was not over by its deadline.'), said)
    release()
  elseif s.attempt >= tonumber(ARGV[4]) then
    settle(s.turn, 'failed', failure('worker_lost',
      'The workers that wrote this reply were lost.'), said)
    release()
  else
    restart(now, 'queue', {})
  end
end
settle_all_overdue()
if seq > before then
  keep_alive(ARGV[5])
  tell()
end

if s.head <= s.tail then
  local later = s.retry_at > now
  due_at(later and s.retry_at or now + ARGV[3])
  return { later and 'LIVE' or 'WAKE' }
end
if s.expires <= now then
  remove('session.expired')
  return { 'EXPIRED' }
end
due_at(s.expires)
return { 'LIVE' }
