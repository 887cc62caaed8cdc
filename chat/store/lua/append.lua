#!lua flags=allow-oom
-- Add a piece to the running reply, which is also a sign of life.
-- include: session event tally reply lease
--
-- ARGV[4] fence    ARGV[5] nonce    ARGV[6] lease, ms
-- ARGV[7] offset: bytes of the reply before the fragment
-- ARGV[8] fragment, the inside of a JSON string; what of it is already there is not added again
--
-- APPENDED cancel (1 when the turn is to be cancelled) | LEASE_LOST | ALREADY | GONE
read('v', 'turn', 'fence', 'nonce', 'done', 'deadline', 'soonest', 'cancel', 'said',
  'started', 'kept')
local no = lost()
if no then return { no } end
local fragment = unsaid(ARGV[7], ARGV[8])
if not fragment then return { 'LEASE_LOST' } end

renew(ARGV[6])
if fragment == '' then
  save()
  return { 'APPENDED', s.cancel }
end
redis.call('APPEND', PARTIAL, fragment)
tally_first_delta()
if s.said == 0 then redis.call('PEXPIREAT', PARTIAL, s.kept) end
set('said', s.said + #fragment)
log('message.delta', ',"message_id":"' .. reply_id(s.turn) .. '","delta":"' .. fragment .. '"')
tell()
return { 'APPENDED', s.cancel }
