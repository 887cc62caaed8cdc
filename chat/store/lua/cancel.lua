#!lua flags=allow-oom
-- Cancel a turn: at once if it waits, or by a flag that its worker reads if it runs.
-- include: session authorize events counters message_json render_message turns token_usage
-- include: enqueue_delivery finish_turn keep_alive
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    number of the reply, or of its user message
--
-- Replies:
--   CANCELLED reply awake           awake: 1 if the session needs no wake-up
--   CANCEL_REQUESTED reply is_new   is_new: 0 if the flag was set before
--   ALREADY reply                   the turn has ended
--   MESSAGE_NOT_FOUND | SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'owner', 'party', 'tokens', 'token_hash', 'expires_at', 'running_turn', 'head',
  'tail', 'waiting', 'attempt', 'partial_bytes', 'bytes', 'ttl', 'max_expires_at',
  'keys_expire_at', 'cancel_requested', 'has_items')
local err = authorize(ARGV[4])
if err then return { err } end
local turn = math.ceil(ARGV[5] / 2)
local reply = redis.call('HGET', MESSAGES, 2 * turn)
if not reply or redis.call('HEXISTS', MESSAGES, ARGV[5]) == 0 then
  return { 'MESSAGE_NOT_FOUND' }
end

if turn == s.running_turn then
  local is_new = s.cancel_requested == 0 and 1 or 0
  set('cancel_requested', 1)
  save()
  return { 'CANCEL_REQUESTED', render_message(2 * turn, reply), is_new }
end
if not read_open_turn(turn) then return { 'ALREADY', render_message(2 * turn, reply) } end
reply = finish_turn(turn, 'cancelled', CANCELLED_RESULT, '')
keep_alive()
if s.running_turn == 0 then set_due(s.waiting > 0 and now or s.expires_at) end
publish()
return { 'CANCELLED', reply, (s.running_turn ~= 0 or s.waiting == 0) and 1 or 0 }
