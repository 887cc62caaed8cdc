#!lua flags=allow-oom
-- Check a session that is due: requeue lost turns, end overdue ones, and remove expired sessions.
-- include: session events counters message_json turns token_usage enqueue_delivery finish_turn
-- include: keep_alive session_queue requeue_turn search_index remove_session forget_expired
-- include: outbox pending_deliveries token_budget
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    ms until the next check of a session that gets a wake-up now
-- ARGV[5]    max attempts per turn
-- ARGV[6]    1 if sessions have a token budget
-- ARGV[7]    ms that the clock does not exceed unless it has stepped; 0 if unknown
--
-- Replies:
--   GONE      the session does not exist
--   EXPIRED holders   the session had expired and was removed; of its quotas, or ''
--   WAKE nonce   a turn waits for a worker; nonce: of the claim that was lost, or ''
--   LIVE nonce   nothing to do before the new due time, or before a check of the clock
read('schema', 'owner', 'party', 'tokens', 'running_turn', 'head', 'tail', 'waiting', 'attempt',
  'retry_at', 'lease_until', 'deadline', 'next_deadline', 'cancel_requested', 'partial_bytes',
  'prompt_tokens', 'nonce', 'bytes', 'expires_at', 'ttl', 'max_expires_at', 'keys_expire_at',
  'tokens_used', 'budget_resets_at')
if not s.schema then
  forget_expired()
  return { 'GONE' }
end
if may_have_stepped(ARGV[7]) then return { 'LIVE', '' } end
local before = seq
if s.running_turn ~= 0 and s.lease_until > now then
  expire_turns_behind(s.running_turn)
  if seq > before then keep_alive() end
  set_due_by(s.lease_until)
  if seq > before then publish() else save() end
  return { 'LIVE', '' }
end

local lost_nonce = s.running_turn ~= 0 and s.nonce or ''
if s.running_turn ~= 0 then -- its worker is dead or disconnected
  increment('lost_leases', 1)
  count_unfinished_attempt(ARGV[6])
  if s.cancel_requested == 1 then
    finish_turn(s.running_turn, 'cancelled', CANCELLED_RESULT, pop_partial())
    release_lease()
  elseif s.deadline <= now then
    local output = pop_partial()
    finish_turn(s.running_turn, text_of(output) == '' and 'failed' or 'incomplete',
      DEADLINE_RESULT, output)
    release_lease()
  elseif s.attempt >= tonumber(ARGV[5]) then
    finish_turn(s.running_turn, 'failed', error_result('worker_lost',
      'The workers that ran this turn were lost.'), pop_partial())
    release_lease()
  else
    requeue_turn(now, 'queue', 'null')
  end
end
local reply, deadline = finish_overdue_turns()
if reply then expire_turns_behind(s.head) end
if seq > before then
  keep_alive()
  publish()
else
  save()
end

if reply then
  local later = s.retry_at > now
  if later then set_due_by(math.min(s.retry_at, deadline)) else set_due(now + ARGV[4]) end
  return { later and 'LIVE' or 'WAKE', lost_nonce }
end
if s.expires_at <= now then
  local holders = redis.call('HGET', SESSION, 'quota_holders') or ''
  keep_pending_deliveries(true)
  remove_session('session.expired')
  return { 'EXPIRED', holders }
end
set_due(s.expires_at)
return { 'LIVE', lost_nonce }
