#!lua
-- Ask for another reply to the last user message. The earlier reply stays as it ended; the model is
-- shown the newest reply to each message.
-- include: session access event tally reply shown turns tokens post settle life idem accept replay budget
--
-- ARGV[4] SHA-256 of the caller's token, or ''
-- ARGV[5] number of the reply to replace, or of the message that it replies to
-- ARGV[6] ask: options and request id, JSON object
-- ARGV[7] deadline, ms from now                   ARGV[8] grace, ms
-- ARGV[9] most waiting turns of the partition
-- ARGV[10] ms between two messages, 0 for any     ARGV[11] burst, messages
-- ARGV[12] idempotency key, never empty           ARGV[13] digest of the request
-- ARGV[14] 1 when the deployment has a webhook
-- ARGV[15] tokens that the session may take an hour, 0 for any
--
-- ACCEPTED message reply position awake: `awake` is 1 when the session needs no wake-up
-- REPLAYED message reply position awake: the first answer, or one is being written already
-- GONE | EXPIRED | MISMATCH | NOT_FOUND | NOT_LAST | QUEUE_FULL | RATE_LIMITED ms
-- TOKENS_SPENT ms
read('v', 'token', 'expires', 'turn', 'head', 'tail', 'waiting', 'ttl', 'max_at', 'kept', 'tat',
  'tells', 'lease', 'retry_at', 'soonest', 'spent', 'spent_until')
local no = refused(ARGV[4])
if no then return { no } end
local first = first_answer(ARGV[12], ARGV[13])
if first == 'MISMATCH' then return { first } end
if first then
  keep_answer(ARGV[12], ARGV[13], first)
  return replay(first)
end
local old = redis.call('HGET', MESSAGES, 2 * math.ceil(ARGV[5] / 2))
if not old or redis.call('HEXISTS', MESSAGES, ARGV[5]) == 0 then return { 'NOT_FOUND' } end
local prompt = string.match(old, '"reply_to":"msg_(%d+)"')
local message, last = unpack(redis.call('HMGET', MESSAGES, prompt, 2 * s.tail))
if string.match(last, '"reply_to":"msg_(%d+)"') ~= prompt then return { 'NOT_LAST' } end

local tat, wait_ms = pace(ARGV[10], ARGV[11])
local seq_of_last, status = state_of(last)
if status == 'queued' or status == 'in_progress' then
  if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end -- each answer that is kept takes memory
  set('tat', tat)
  save()
  local position = place_of(s.tail)
  local created = math.floor(open_reply(last).created_at * 1000 + 0.5)
  keep_answer(ARGV[12], ARGV[13], for_replay(s.tail, prompt, position, created, seq_of_last))
  return { 'REPLAYED', message, shown(2 * s.tail, last), position, awake() }
end

local broke_ms = broke(tonumber(ARGV[15]))
if broke_ms > 0 then return { 'TOKENS_SPENT', broke_ms } end
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
if queue_is_full(ARGV[9]) then return { 'QUEUE_FULL' } end
local turn = s.tail + 1
local reply, position = enqueue(turn, prompt, ARGV[6], now + ARGV[7])
if position == 0 then due_at(now + ARGV[8]) end
keep_answer(ARGV[12], ARGV[13], for_replay(turn, prompt, position, now, seq))
if s.tells ~= tonumber(ARGV[14]) then set('tells', ARGV[14]) end
set('tat', tat)
keep_alive()
tell()
return { 'ACCEPTED', message, reply, position, position > 0 and 1 or 0 }
