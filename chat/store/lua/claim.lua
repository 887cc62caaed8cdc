#!lua flags=allow-oom
-- Give a worker the lease of the session's next turn, and everything it needs to call the model.
-- include: session events counters message_json turns token_usage enqueue_delivery finish_turn
-- include: keep_alive session_queue history
--
-- KEYS         see lib/session.lua
-- ARGV[1-3]    see lib/session.lua
-- NONCE        of this try
-- WORKER       its name
-- LEASE        ms
-- CONTEXT      messages of context if the session does not set a number
-- MAX_TOKENS   of the history to read, at least as many as any model takes
-- MAX_NUMBERS  of messages of the history to read
-- LATEST       ms that the clock does not exceed unless it has stepped; 0 if unknown
--
-- Replies:
--   CLAIMED fence turn attempt ms_left system_prompt context identity request reply has_more message...
--              identity: tenant, user, API key and addresses, one per line
--              has_more: 1 if there are earlier messages
--              messages: the user message to answer, then earlier ones, newest first
--   LEASED     another lease is valid
--   EMPTY      no turn waits
--   WAITING    the next turn waits for its retry, or for a check of the clock
--   SESSION_GONE
local NONCE, WORKER, LEASE, CONTEXT, MAX_TOKENS, MAX_NUMBERS, LATEST = unpack(ARGV, 4)
read('schema', 'owner', 'party', 'tokens', 'running_turn', 'nonce', 'finished_nonce', 'head',
  'tail', 'first_message', 'waiting', 'fence', 'attempt', 'retry_at', 'deadline', 'next_deadline',
  'model', 'system_prompt', 'context', 'partial_bytes', 'bytes', 'expires_at', 'ttl',
  'max_expires_at', 'keys_expire_at', 'tenant', 'user', 'api_key', 'addresses')
if not s.schema then return { 'SESSION_GONE' } end
if s.finished_nonce == NONCE then return { 'EMPTY' } end
if s.running_turn ~= 0 and s.nonce ~= NONCE then return { 'LEASED' } end
if s.running_turn == 0 and may_have_stepped(LATEST) then return { 'WAITING' } end

local reply, deadline, request
if s.running_turn ~= 0 then
  reply, deadline, request = read_open_turn(s.running_turn) -- the same call, sent again
else
  local before = seq
  reply, deadline, request = finish_overdue_turns()
  if seq > before then keep_alive() end
  if not reply then set_due(s.expires_at) end
  if not reply or s.retry_at > now then
    if seq > before then publish() else save() end
    return { reply and 'WAITING' or 'EMPTY' }
  end
  set('running_turn', s.head)
  set('fence', s.fence + 1)
  set('nonce', NONCE)
  set('worker', WORKER)
  set('attempt', s.attempt + 1)
  set('deadline', deadline)
  set('lease_until', math.min(now + LEASE, deadline))
  set('started_at', now)
  change_waiting(-1)
  if s.waiting == 0 then set('next_deadline', 0) end
  set_due_by(s.lease_until)
  if s.waiting > 0 then redis.call('ZREM', WAITING, ID) end
  redis.call('ZADD', RUNNING, now, ID)
  redis.call('HINCRBY', COUNTS, 'running', 1)
  local open = parse_open_reply(reply)
  open.started_at, open.attempt = format_seconds(now), s.attempt
  if open.model == 'null' then open.model = s.model end
  local queued = reply
  reply = started_reply_json(s.running_turn, open)
  set('bytes', s.bytes + #reply - #queued)
  redis.call('HSET', MESSAGES, 2 * s.running_turn, reply)
  append_event('message.started',
    ',"message_id":"' .. reply_id(s.running_turn) .. '","message":' .. reply,
    table.concat({ 's' .. now, s.running_turn, open.prompt, open.created_at, s.attempt, open.model },
      ' '))
  publish()
end

local prompt = tonumber(string.match(reply, '"reply_to":"msg_(%d+)"'))
local identity = table.concat({ s.tenant or '', s.user or '', s.api_key or '',
  s.addresses or '' }, '\n')
local wanted = math.max(1, string.match(s.context, '"messages":(%d+)') or CONTEXT)
local found, has_more = read_history(prompt, wanted, tonumber(MAX_TOKENS), tonumber(MAX_NUMBERS))
local result = { 'CLAIMED', s.fence, s.running_turn, s.attempt, deadline - now, s.system_prompt,
  s.context, identity, request, reply, has_more and 1 or 0 }
for _, message in ipairs(found) do result[#result + 1] = message end
return result
