#!lua flags=allow-oom
-- Give a worker the right to write the next reply, and all it needs to ask the model.
-- include: session event reply settle life
--
-- ARGV[3] nonce of this try       ARGV[4] worker       ARGV[5] lease, ms
-- ARGV[6] most message numbers of history to read
--
-- CLAIMED fence turn attempt ms-left system_prompt context ask reply message...
--   (the messages end with the one to be answered; numbers that hold none are left out)
-- GONE | BUSY: a lease stands | EMPTY: nothing waits | WAITING: not before its retry
s = read('v', 'turn', 'nonce', 'done', 'head', 'tail', 'waiting', 'fence', 'attempt',
  'retry_at', 'deadline', 'model', 'system_prompt', 'context', 'expires')
if not s.v then return { 'GONE' } end
if s.done == ARGV[3] then return { 'EMPTY' } end
if s.turn ~= 0 and s.nonce ~= ARGV[3] then return { 'BUSY' } end

if s.turn == 0 then
  local before = seq
  settle_all_overdue()
  if seq > before then tell() end
  if s.head > s.tail then
    due_at(s.expires)
    return { 'EMPTY' }
  end
  if s.retry_at > now then return { 'WAITING' } end
  s.turn, s.fence, s.attempt, s.deadline = s.head, s.fence + 1, s.attempt + 1, deadline_of(s.head)
  local changes = { started_at = tonumber(seconds(now)), attempt = s.attempt, wait = cjson.null,
    error = cjson.null }
  if string.find(redis.call('HGET', MESSAGES, 2 * s.turn), '"model":null', 1, true) then
    changes.model = cjson.decode(s.model)
  end
  local reply = write_reply(s.turn, 'in_progress', changes, '')
  local lease = math.min(now + ARGV[5], s.deadline)
  redis.call('HSET', SESSION, 'turn', s.turn, 'fence', s.fence, 'nonce', ARGV[3],
    'worker', ARGV[4], 'attempt', s.attempt, 'deadline', s.deadline, 'lease', lease, 'cancel', 0)
  count_waiting(-1)
  redis.call('HINCRBY', COUNTS, 'running', 1)
  due_at(lease)
  log('message.started', ',"message_id":"' .. reply_id(s.turn) .. '","message":' .. reply)
  tell()
end

local reply = redis.call('HGET', MESSAGES, 2 * s.turn)
local prompt = tonumber(string.match(reply, '"reply_to":"msg_(%d+)"'))
local ask = string.match(redis.call('HGET', MESSAGES, 2 * s.turn .. ':ask'), '^%d+ (.*)$')
local claim = { 'CLAIMED', s.fence, s.turn, s.attempt, s.deadline - now,
  s.system_prompt, s.context, ask, reply }
local numbers = {}
for number = math.max(1, prompt - ARGV[6] + 1), prompt do numbers[#numbers + 1] = number end
for _, message in ipairs(redis.call('HMGET', MESSAGES, unpack(numbers))) do
  if message then claim[#claim + 1] = message end
end
return claim
