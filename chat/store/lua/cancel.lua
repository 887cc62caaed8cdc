#!lua flags=allow-oom
-- Cancel a turn: at once while it waits, by a mark that its worker reads while it runs.
-- include: session access event tally reply shown turns tokens post settle life
--
-- ARGV[4] SHA-256 of the caller's token, or ''
-- ARGV[5] number of the reply, or of the message that it replies to
--
-- CANCELLED reply awake | MARKED reply new (0 when it was marked before)
-- ALREADY reply: it had ended | GONE | EXPIRED | NOT_FOUND
read('v', 'token', 'expires', 'turn', 'head', 'tail', 'waiting', 'attempt', 'said', 'bytes',
  'ttl', 'max_at', 'kept', 'cancel')
local no = refused(ARGV[4])
if no then return { no } end
local turn = math.ceil(ARGV[5] / 2)
local reply = redis.call('HGET', MESSAGES, 2 * turn)
if not reply or redis.call('HEXISTS', MESSAGES, ARGV[5]) == 0 then return { 'NOT_FOUND' } end

if turn == s.turn then
  local is_new = s.cancel == 0 and 1 or 0
  set('cancel', 1)
  save()
  return { 'MARKED', shown(2 * turn, reply), is_new }
end
if not open_turn(turn) then return { 'ALREADY', reply } end
reply = settle(turn, 'cancelled', CANCELLED, '')
keep_alive()
if s.turn == 0 then due_at(s.waiting > 0 and now or s.expires) end
tell()
return { 'CANCELLED', reply, (s.turn ~= 0 or s.waiting == 0) and 1 or 0 }
