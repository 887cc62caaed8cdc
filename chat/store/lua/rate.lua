#!lua
-- Keep what the owner thinks of a reply that is over.
-- include: session access event tally reply life
--
-- ARGV[4] SHA-256 of the caller's token, or ''
-- ARGV[5] number of the reply    ARGV[6] feedback, JSON object, or null to take it away
--
-- RATED message | NOT_FOUND | NOT_RATEABLE: it is no reply, or not over | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting', 'ttl', 'max_at', 'kept')
local no = refused(ARGV[4])
if no then return { no } end
local message = redis.call('HGET', MESSAGES, ARGV[5])
if not message then return { 'NOT_FOUND' } end
local _, status = state_of(message)
if ARGV[5] % 2 == 1 or status == 'queued' or status == 'in_progress' then
  return { 'NOT_RATEABLE' }
end
local unrated, before = without_feedback(message)
if before == ARGV[6] then return { 'RATED', message } end

local rest = string.sub(unrated, string.find(unrated, ',"status":', 1, true), -1)
message = '{"seq":' .. (seq + 1) .. rest .. ',"feedback":' .. ARGV[6] .. '}'
redis.call('HSET', MESSAGES, ARGV[5], message)
log('message.rated', ',"message_id":"msg_' .. ARGV[5] .. '","message":' .. message)
keep_alive()
if s.turn == 0 and s.waiting == 0 then due_at(s.expires) end
tell()
return { 'RATED', message }
