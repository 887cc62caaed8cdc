#!lua flags=allow-oom
-- Append a delta to the running reply, and renew the lease if a third of it has passed.
-- include: session events counters message_json lease deltas
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    fence
-- ARGV[5]    nonce
-- ARGV[6]    lease, ms
-- ARGV[7]    offset: bytes of the output before the delta
-- ARGV[8]    delta: output, see lib/output.lua; bytes that are stored are skipped
-- ARGV[9]    tokens of the prompt, estimated
--
-- Replies:
--   APPENDED cancel_requested   1 if the worker must cancel the turn
--   LEASE_LOST | SESSION_GONE
--   ALREADY                     this claim has finished
read('schema', 'running_turn', 'fence', 'nonce', 'finished_nonce', 'lease_until', 'deadline',
  'next_deadline', 'cancel_requested', 'partial_bytes', 'started_at', 'keys_expire_at')
local err = check_lease()
if err then return { err } end
local delta = new_text(ARGV[7], ARGV[8])
if not delta then return { 'LEASE_LOST' } end

if s.lease_until < now + ARGV[6] * 2 / 3 then renew_lease(ARGV[6]) end
if delta == '' then
  save()
  return { 'APPENDED', s.cancel_requested }
end
redis.call('APPEND', PARTIAL, delta)
record_first_token()
if s.partial_bytes == 0 then
  redis.call('PEXPIREAT', PARTIAL, s.keys_expire_at)
  set('prompt_tokens', ARGV[9])
end
set('partial_bytes', s.partial_bytes + #delta)
append_deltas(delta)
publish()
return { 'APPENDED', s.cancel_requested }
