#!lua
-- Accept a user message and the turn that will answer it, or change nothing.
-- include: session access event reply settle life idem accept interrupt
--
-- ARGV[3] SHA-256 of the caller's token, hex, or '' for Parley itself
-- ARGV[4] content, the inside of a JSON string      ARGV[5] its length, UTF-8 bytes
-- ARGV[6] ask: options and request id, JSON object
-- ARGV[7] deadline, ms from now                     ARGV[8] grace until the first look, ms
-- ARGV[9] on_busy: enqueue, reject or interrupt
-- ARGV[10] idempotency key, never empty             ARGV[11] digest of the request
-- ARGV[12] most waiting turns of the session        ARGV[13] most waiting turns of the partition
-- ARGV[14] ms between two messages at the steady rate, 0 for any   ARGV[15] burst, messages
-- ARGV[16] most bytes of the session                ARGV[17] margin of key TTLs, seconds
--
-- ACCEPTED message reply position awake: `awake` is 1 when the session needs no wake-up
-- REPLAYED message reply position 1: the first answer to this key
-- GONE | EXPIRED | MISMATCH | BUSY | SESSION_FULL | QUEUE_FULL | INBOX_FULL
-- RATE_LIMITED ms until the next message would pass
s = read('v', 'token', 'expires', 'turn', 'waiting', 'head', 'tail', 'ttl', 'max_at', 'tat',
  'bytes', 'attempt')
local no = refused(s, ARGV[3])
if no then return { no } end

local first = first_answer(ARGV[10], ARGV[11])
if first == 'MISMATCH' then return { first } end
if first then return replay(first) end

if ARGV[9] == 'reject' and (s.turn ~= 0 or s.waiting > 0) then return { 'BUSY' } end
local interval, tat, wait_ms = pace(ARGV[14], ARGV[15])
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
if s.waiting >= tonumber(ARGV[12]) then return { 'INBOX_FULL' } end
if tonumber(redis.call('HGET', COUNTS, 'waiting') or 0) >= tonumber(ARGV[13]) then
  return { 'QUEUE_FULL' }
end
if s.bytes + ARGV[5] > tonumber(ARGV[16]) then return { 'SESSION_FULL' } end

if ARGV[9] == 'interrupt' then interrupt() end
local turn = s.tail + 1
local number = 2 * turn - 1
local message = '{"seq":' .. (seq + 1) .. ',"status":"completed","content":"' .. ARGV[4] ..
  '","id":"msg_' .. number .. '","role":"user","created_at":' .. seconds(now) ..
  ',"started_at":null,"completed_at":' .. seconds(now) .. ',"reply_to":null,"attempt":0,' ..
  '"model":null,"finish_reason":null,"usage":null,"error":null,"wait":null}'
redis.call('HSET', MESSAGES, number, message)
local reply, position = enqueue(turn, number, ARGV[6], now + ARGV[7], tonumber(ARGV[8]),
  ',"message":' .. message)
redis.call('HSET', SESSION, 'tat', tat + interval, 'bytes', s.bytes + ARGV[5])
keep_answer(ARGV[10], ARGV[11], for_replay(turn, number, position))
keep_alive(ARGV[17])
tell()
return { 'ACCEPTED', message, reply, position, position > 0 and 1 or 0 }
