#!lua flags=allow-oom
-- Append a delta to the running reply, and renew the lease if a third of it has passed.
-- include: session_keys delta_event
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

-- Nearly every call: more text, while the lease need not be renewed nor the log be trimmed. It returns
-- before the functions below are created, which takes longer than the rest.
do
  local nonce, fence, turn, stored, lease_until, newest, log_end, log_start, log_bytes, turn_start,
    cancel_requested = unpack(redis.call('HMGET', SESSION, 'nonce', 'fence', 'running_turn',
      'partial_bytes', 'lease_until', 'seq', 'log_end', 'log_start', 'log_bytes', 'turn_start',
      'cancel_requested'))
  local is_next = nonce == ARGV[5] and fence == ARGV[4] and turn ~= '0' and
    stored == OFFSET and stored ~= '0' and log_end == newest
  local is_text = DELTA ~= '' and #DELTA <= MAX_SHORT_DELTA and not string.find(DELTA, '\1', 1, true)
  if is_next and is_text and tonumber(lease_until) >= now + LEASE * 2 / 3 then
    -- A session of an older version may lack them.
    log_start, log_bytes = tonumber(log_start or 0), tonumber(log_bytes or 0)
    local line = delta_line('d', turn, DELTA)
    local max_events, max_bytes = string.match(ARGV[2], '^(%d+) (%d+)')
    if log_start + 1 >= tonumber(turn_start or 0) or
      newest - log_start < tonumber(max_events) and log_bytes + #line <= tonumber(max_bytes) then
      seq = newest + 1
      redis.call('APPEND', PARTIAL, DELTA)
      redis.call('RPUSH', LOG, line)
      redis.call('HSET', SESSION, 'partial_bytes', stored + #DELTA, 'seq', seq, 'log_end', seq,
        'log_bytes', log_bytes + #line)
      local event = event_json('message.delta', seq, ARGV[1], now, delta_members(turn, DELTA))
      redis.call('PUBLISH', EVENTS, events_message(seq, event))
      return { 'APPENDED', tonumber(cancel_requested or 0) }
    end
  end
end
-- include: session events counters message_json lease deltas
read('schema', 'running_turn', 'fence', 'nonce', 'lease_until', 'deadline', 'next_deadline',
  'cancel_requested', 'partial_bytes', 'started_at', 'keys_expire_at')
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
