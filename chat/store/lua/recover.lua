#!lua flags=allow-oom
-- Look at one session that is due and put right what is wrong with it.
-- include: session event tally reply turns tokens post settle life inbox restart
-- include: facets removal vanished outbox pending budget
--
-- ARGV[4] ms until the next look at a session that is woken now    ARGV[5] most attempts at a turn
-- ARGV[6] 1 when sessions have a budget of tokens
--
-- GONE: no such session | EXPIRED: it ended and was removed
-- WAKE: a turn waits and wants a worker | LIVE: nothing to do before its new due time
read('v', 'turn', 'head', 'tail', 'waiting', 'attempt', 'retry_at', 'lease', 'deadline', 'soonest',
  'cancel', 'said', 'bytes', 'expires', 'ttl', 'max_at', 'kept',
  'spent', 'spent_until')
if not s.v then
  forget_vanished()
  return { 'GONE' }
end
local before = seq
if s.turn ~= 0 and s.lease > now then
  expire_behind(s.turn)
  if seq > before then keep_alive() end
  due_by(s.lease)
  if seq > before then tell() else save() end
  return { 'LIVE' }
end

if s.turn ~= 0 then -- its worker is dead or has lost touch
  tally('lost', 1)
  spend_unfinished(ARGV[6])
  if s.cancel == 1 then
    settle(s.turn, 'cancelled', CANCELLED, partial())
    release()
  elseif s.deadline <= now then
    settle(s.turn, s.said == 0 and 'failed' or 'incomplete', failure('deadline_exceeded',
      'The turn was not over by its deadline.'), partial())
    release()
  elseif s.attempt >= tonumber(ARGV[5]) then
    settle(s.turn, 'failed', failure('worker_lost',
      'The workers that wrote this reply were lost.'), partial())
    release()
  else
    restart(now, 'queue', 'null')
  end
end
local reply, deadline = settle_all_overdue()
if reply then expire_behind(s.head) end
if seq > before then
  keep_alive()
  tell()
else
  save()
end

if reply then
  local later = s.retry_at > now
  if later then due_by(math.min(s.retry_at, deadline)) else due_at(now + ARGV[4]) end
  return { later and 'LIVE' or 'WAKE' }
end
if s.expires <= now then
  keep_pending(true)
  remove('session.expired')
  return { 'EXPIRED' }
end
due_at(s.expires)
return { 'LIVE' }
