#!lua
-- Ask for another reply to the last user message. The earlier reply stays as it ended; the model is
-- shown the newest reply to each message.
-- include: session access event reply settle life idem accept
--
-- ARGV[3] SHA-256 of the caller's token, or ''
-- ARGV[4] number of the reply to replace, or of the message that it replies to
-- ARGV[5] ask: options and request id, JSON object
-- ARGV[6] deadline, ms from now    ARGV[7] grace, ms    ARGV[8] margin of key TTLs, seconds
-- ARGV[9] most waiting turns of the partition
-- ARGV[10] ms between two messages, 0 for any     ARGV[11] burst, messages
-- ARGV[12] idempotency key, never empty           ARGV[13] digest of the request
--
-- ACCEPTED message reply position 0
-- REPLAYED message reply position 1: the first answer, or one is being written already
-- GONE | EXPIRED | MISMATCH | NOT_FOUND | NOT_LAST | QUEUE_FULL | RATE_LIMITED ms
s = read('v', 'token', 'expires', 'turn', 'head', 'tail', 'waiting', 'attempt', 'ttl',
  'max_at', 'tat')
local no = refused(s, ARGV[3])
if no then return { no } end
local first = first_answer(ARGV[12], ARGV[13])
if first then return first == 'MISMATCH' and { first } or replay(first) end
local old = redis.call('HGET', MESSAGES, 2 * math.ceil(ARGV[4] / 2))
if not old or not redis.call('HGET', MESSAGES, ARGV[4]) then return { 'NOT_FOUND' } end
local prompt = tonumber(string.match(old, '"reply_to":"msg_(%d+)"'))
local message, last = redis.call('HGET', MESSAGES, prompt), redis.call('HGET', MESSAGES, 2 * s.tail)
if tonumber(string.match(last, '"reply_to":"msg_(%d+)"')) ~= prompt then return { 'NOT_LAST' } end
if is_open(s.tail) then return { 'REPLAYED', message, shown(last, s.tail - s.head), 0, 1 } end

local interval, tat, wait_ms = pace(ARGV[10], ARGV[11])
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
if tonumber(redis.call('HGET', COUNTS, 'waiting') or 0) >= tonumber(ARGV[9]) then
  return { 'QUEUE_FULL' }
end
local reply, position = enqueue(s.tail + 1, prompt, ARGV[5], now + ARGV[6], tonumber(ARGV[7]), '')
keep_answer(ARGV[12], ARGV[13], for_replay(s.tail + 1, prompt, position))
redis.call('HSET', SESSION, 'tat', tat + interval)
keep_alive(ARGV[8])
tell()
return { 'ACCEPTED', message, reply, position, 0 }
