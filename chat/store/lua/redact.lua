#!lua flags=allow-oom
-- Put a note in the place of a message's text, drop what was said of it, and forget the log that
-- repeats both.
-- include: session access event reply life
--
-- ARGV[4] SHA-256 of the caller's token, or ''
-- ARGV[5] number of the message    ARGV[6] the note, the inside of a JSON string
--
-- REDACTED | ALREADY: nothing of it is left | NOT_FOUND | OPEN: the reply is being written or waits | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting', 'ttl', 'max_at', 'kept')
local no = refused(ARGV[4])
if no then return { no } end
local message = redis.call('HGET', MESSAGES, ARGV[5])
if not message then return { 'NOT_FOUND' } end
local changed_at, status = state_of(message)
if status == 'queued' or status == 'in_progress' then return { 'OPEN' } end

-- Inside a JSON string each quote bears a backslash, so this is where the text ends.
local rest, feedback =
  without_feedback(string.sub(message, string.find(message, '","id":"msg_', 1, true), -1))
local rating = string.match(feedback, '^{"rating":"(%a+)"')
local redacted = ',"status":"' .. status .. '","content":"' .. ARGV[6] .. rest ..
  ',"feedback":' .. (rating and '{"rating":"' .. rating .. '","comment":""}' or 'null') .. '}'
local first = redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', 1)[1]
local is_in_log = first and tonumber(string.match(first[1], '^%d+')) <= tonumber(changed_at)
if message == '{"seq":' .. changed_at .. redacted and not is_in_log then return { 'ALREADY' } end

redis.call('HSET', MESSAGES, ARGV[5], '{"seq":' .. (seq + 1) .. redacted)
-- The first event goes with the log, so that a follower of any cursor finds a gap, and in its place
-- gets the session as it is now.
log('session.updated', ',"changes":{}')
redis.call('XTRIM', EVENTS, 'MAXLEN', 0)
log('session.updated', ',"changes":{}')
keep_alive(true)
if s.turn == 0 and s.waiting == 0 then due_at(s.expires) end
hint()
return { 'REDACTED' }
