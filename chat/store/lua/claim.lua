#!lua flags=allow-oom
-- Give a worker the right to write the next reply, and all it needs to ask the model.
-- include: session event tally reply turns tokens post settle life inbox history
--
-- ARGV[4] nonce of this try       ARGV[5] worker       ARGV[6] lease, ms
-- ARGV[7] messages that a session is shown if it does not say
-- ARGV[8] most message numbers of history to read
--
-- CLAIMED fence turn attempt ms-left system_prompt context ask reply message...
--   (the message to be answered first, then earlier ones, newest first)
-- GONE | BUSY: a lease stands | EMPTY: nothing waits | WAITING: not before its retry
read('v', 'turn', 'nonce', 'done', 'head', 'tail', 'first', 'waiting', 'fence', 'attempt',
  'retry_at', 'deadline', 'soonest', 'model', 'system_prompt', 'context', 'said', 'bytes', 'expires', 'ttl',
  'max_at', 'kept')
if not s.v then return { 'GONE' } end
if s.done == ARGV[4] then return { 'EMPTY' } end
if s.turn ~= 0 and s.nonce ~= ARGV[4] then return { 'BUSY' } end

local reply, deadline, ask
if s.turn ~= 0 then
  reply, deadline, ask = open_turn(s.turn) -- the same try again
else
  local before = seq
  reply, deadline, ask = settle_all_overdue()
  if seq > before then keep_alive() end
  if not reply then due_at(s.expires) end
  if not reply or s.retry_at > now then
    if seq > before then tell() else save() end
    return { reply and 'WAITING' or 'EMPTY' }
  end
  set('turn', s.head)
  set('fence', s.fence + 1)
  set('nonce', ARGV[4])
  set('worker', ARGV[5])
  set('attempt', s.attempt + 1)
  set('deadline', deadline)
  set('lease', math.min(now + ARGV[6], deadline))
  set('started', now)
  count_waiting(-1)
  if s.waiting == 0 then set('soonest', 0) end
  due_by(s.lease)
  redis.call('ZREM', WAITING, ID)
  redis.call('ZADD', RUNNING, now, ID)
  redis.call('HINCRBY', COUNTS, 'running', 1)
  local open = open_reply(reply)
  open.started_at, open.attempt = seconds(now), s.attempt
  if open.model == 'null' then open.model = s.model end
  reply = reply_json(s.turn, 'in_progress', '', open,
    '"finish_reason":null,"usage":null,"error":null,"wait":null')
  redis.call('HSET', MESSAGES, 2 * s.turn, reply)
  log('message.started', ',"message_id":"' .. reply_id(s.turn) .. '","message":' .. reply)
  tell()
end

local prompt = tonumber(string.match(reply, '"reply_to":"msg_(%d+)"'))
local wanted = math.max(1, string.match(s.context, '"messages":(%d+)') or ARGV[7])
return { 'CLAIMED', s.fence, s.turn, s.attempt, deadline - now, s.system_prompt, s.context, ask,
  reply, unpack(history(prompt, wanted, tonumber(ARGV[8]))) }
