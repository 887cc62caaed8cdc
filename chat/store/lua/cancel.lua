#!lua flags=allow-oom
-- Cancel a turn: at once while it waits, by a mark that its worker reads while it runs.
-- include: session access event reply settle life
--
-- ARGV[3] SHA-256 of the caller's token, or ''
-- ARGV[4] number of the reply, or of the message that it replies to
--
-- CANCELLED reply awake | MARKED reply | ALREADY reply: it had ended | GONE | EXPIRED | NOT_FOUND
s = read('v', 'token', 'expires', 'turn', 'head', 'tail', 'waiting', 'attempt')
local no = refused(s, ARGV[3])
if no then return { no } end
local turn = math.ceil(ARGV[4] / 2)
local reply = redis.call('HGET', MESSAGES, 2 * turn)
if not reply or not redis.call('HGET', MESSAGES, ARGV[4]) then return { 'NOT_FOUND' } end

if turn == s.turn then
  redis.call('HSET', SESSION, 'cancel', 1)
  return { 'MARKED', shown(reply, 0) }
end
if not is_open(turn) then return { 'ALREADY', reply } end
reply = settle(turn, 'cancelled', { finish_reason = 'cancelled' }, '')
if s.turn == 0 then due_at(s.waiting > 0 and now or s.expires) end
tell()
return { 'CANCELLED', reply, (s.turn ~= 0 or s.waiting == 0) and 1 or 0 }
