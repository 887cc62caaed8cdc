#!lua flags=allow-oom
-- Append a delta to the running reply, and renew the lease if a third of it has passed.
-- include: session events counters message_json lease deltas
--
-- KEYS          see lib/session.lua
-- ARGV[1-5]     see lib/session.lua and lib/lease.lua
-- LEASE         ms
-- OFFSET        bytes of the output before the delta
-- DELTA         output, see lib/output.lua; bytes that are stored are skipped
-- PROMPT_TOKENS of the prompt, estimated
--
-- Replies:
--   APPENDED cancel_requested counters   1 if the worker must cancel the turn; counters: see
--                                        lib/counters.lua, missing if there are none
--   LEASE_LOST | SESSION_GONE
--   ALREADY                              this claim has finished
local LEASE, OFFSET, DELTA, PROMPT_TOKENS = unpack(ARGV, 6)
read('schema', 'running_turn', 'fence', 'nonce', 'finished_nonce', 'lease_until', 'deadline',
  'next_deadline', 'cancel_requested', 'partial_bytes', 'started_at', 'keys_expire_at')
local err = check_lease()
if err then return { err } end
local delta = new_text(OFFSET, DELTA)
if not delta then return { 'LEASE_LOST' } end

if s.lease_until < now + LEASE * 2 / 3 then renew_lease(LEASE) end
if delta == '' then
  save()
  return { 'APPENDED', s.cancel_requested }
end
redis.call('APPEND', PARTIAL, delta)
returned = {}
record_first_token()
if s.partial_bytes == 0 then
  redis.call('PEXPIREAT', PARTIAL, s.keys_expire_at)
  set('prompt_tokens', PROMPT_TOKENS)
end
set('partial_bytes', s.partial_bytes + #delta)
append_deltas(delta)
publish()
return { 'APPENDED', s.cancel_requested, returned[1] and table.concat(returned, '\n') }
