#!lua
-- Accept a user message and the turn that will answer it, or change nothing.
-- include: session access event tally reply turns tokens post settle life idem accept replay interrupt budget
--
-- ARGV[4] SHA-256 of the caller's token, hex, or '' for Parley itself
-- ARGV[5] content, the inside of a JSON string      ARGV[6] its length, UTF-8 bytes
-- ARGV[7] ask: options and request id, JSON object
-- ARGV[8] deadline, ms from now                     ARGV[9] grace until the first look, ms
-- ARGV[10] on_busy: enqueue, reject or interrupt
-- ARGV[11] idempotency key, never empty             ARGV[12] digest of the request
-- ARGV[13] most waiting turns of the session        ARGV[14] most waiting turns of the partition
-- ARGV[15] ms between two messages at the steady rate, 0 for any   ARGV[16] burst, messages
-- ARGV[17] most bytes of the session            ARGV[18] 1 when the deployment has a webhook
-- ARGV[19] tokens that the session may take an hour, 0 for any
--
-- ACCEPTED message reply position awake: `awake` is 1 when the session needs no wake-up
-- REPLAYED message reply position awake: the first answer to this key
-- GONE | EXPIRED | MISMATCH | BUSY | SESSION_FULL | QUEUE_FULL | INBOX_FULL
-- RATE_LIMITED ms until the next message would pass | TOKENS_SPENT ms, the same
read('v', 'token', 'expires', 'turn', 'waiting', 'head', 'tail', 'first', 'attempt', 'retry_at',
  'said', 'bytes', 'ttl', 'max_at', 'kept', 'tat', 'tells', 'lease', 'soonest',
  'spent', 'spent_until')
local no = refused(ARGV[4])
if no then return { no } end

local first = first_answer(ARGV[11], ARGV[12])
if first == 'MISMATCH' then return { first } end
if first then
  keep_answer(ARGV[11], ARGV[12], first)
  return replay(first)
end

if ARGV[10] == 'reject' and (s.turn ~= 0 or s.waiting > 0) then return { 'BUSY' } end
local broke_ms = broke(tonumber(ARGV[19]))
if broke_ms > 0 then return { 'TOKENS_SPENT', broke_ms } end
local tat, wait_ms = pace(ARGV[15], ARGV[16])
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
if s.waiting >= tonumber(ARGV[13]) then return { 'INBOX_FULL' } end
if queue_is_full(ARGV[14]) then return { 'QUEUE_FULL' } end
if s.bytes + ARGV[6] > tonumber(ARGV[17]) then return { 'SESSION_FULL' } end

local wakes = ARGV[10] == 'interrupt' and interrupt()
local is_empty = s.first > 2 * s.tail
local turn = s.tail + 1
local number = 2 * turn - 1
local message = prompt_json(number, ARGV[5])
local reply, position = enqueue(turn, number, ARGV[7], now + ARGV[8], message)
wakes = wakes or position == 0
if wakes then due_at(now + ARGV[9]) end
if s.tells ~= tonumber(ARGV[18]) then set('tells', ARGV[18]) end
set('tat', tat)
set('bytes', s.bytes + ARGV[6])
keep_answer(ARGV[11], ARGV[12], for_replay(turn, number, position, now, seq))
keep_alive(is_empty)
tell()
return { 'ACCEPTED', message, reply, position, wakes and 0 or 1 }
