#!lua
-- Accept a user message and the turn that will answer it, or change nothing.
-- include: session authorize events counters message_json turns token_usage enqueue_delivery
-- include: finish_turn keep_alive session_bytes idempotency enqueue_turn replay interrupt token_budget
-- include: rate exceeded_budgets params add_turns
--
-- KEYS             see lib/session.lua
-- ARGV[1-3]        see lib/session.lua
-- CREDENTIAL       of the caller, see lib/authorize.lua
-- CONTENT          the inside of a JSON string
-- REQUEST          options and request id, JSON object
-- DEADLINE         ms from now
-- GRACE            ms until the sweeper checks the turn, in case its wake-up is lost
-- ON_BUSY          enqueue, reject or interrupt
-- KEY              idempotency key, never empty
-- DIGEST           of the request
-- MAX_QUEUED       max queued turns of the session
-- MAX_TURNS        of the partition, an owner and a party, see lib/enqueue_turn.lua
-- INTERVAL         between messages at the steady rate, ms; 0 for no limit
-- BURST            messages
-- HAS_WEBHOOK      1 if the deployment has a webhook
-- TOKENS_PER_HOUR  that the session may use; 0 for no limit
-- EXCEEDED         budgets, see lib/exceeded_budgets.lua
-- REPLACES         number of the user message that this one is an edited version of, or ''
-- PARAMS           that are kept with the reply, JSON object, or ''
-- AFTER_REPLY      number of the reply that must be the last one, or '' for any
-- PARTS            of the message, JSON list, or '' if it has only text
-- ARGV[23...]      turns to add before it, see lib/past_turns.lua
--
-- Replies:
--   ACCEPTED message reply position awake party   awake: 1 if the session needs no wake-up
--   REPLAYED message reply position awake   the first response to this key
--   RATE_LIMITED ms | TOKEN_BUDGET_EXCEEDED ms   ms until the next message is accepted
--   BUDGET_EXCEEDED ms budget ends_at
--   SESSION_BUSY                            a turn is open, and on_busy is reject
--   NOT_EDITABLE                            the message to replace is not that of the last turn
--   NOT_LAST_TURN                           AFTER_REPLY is not the last one
--   SESSION_QUEUE_FULL | OWNER_QUEUE_FULL | QUEUE_FULL | SESSION_FULL
--   IDEMPOTENCY_MISMATCH | SESSION_NOT_FOUND | SESSION_EXPIRED
--   QUOTA_NEEDED bytes holders   see lib/session_bytes.lua
local CREDENTIAL, CONTENT, REQUEST, DEADLINE, GRACE, ON_BUSY, KEY, DIGEST, MAX_QUEUED, MAX_TURNS,
  INTERVAL, BURST, HAS_WEBHOOK, TOKENS_PER_HOUR, EXCEEDED, REPLACES, PARAMS, AFTER_REPLY, PARTS =
  unpack(ARGV, 4, 22)
local BEFORE = 23 -- place of the turns to add
read('schema', 'owner', 'party', 'tokens', 'token_hash', 'expires_at', 'running_turn', 'waiting',
  'head', 'tail', 'first_message', 'attempt', 'retry_at', 'partial_bytes', 'bytes', 'kept_bytes',
  'quota', 'ttl', 'max_expires_at', 'keys_expire_at', 'tat', 'has_webhook', 'lease_until',
  'next_deadline', 'tokens_used', 'budget_resets_at')
local err = authorize(CREDENTIAL)
if err then return { err } end

local response = first_response(KEY, DIGEST)
if response == 'IDEMPOTENCY_MISMATCH' then return { response } end
if response then
  save_response(KEY, DIGEST, response)
  return replay(response)
end

local replaced = REPLACES ~= '' and REPLACES or nil
if replaced then
  local last = redis.call('HGET', MESSAGES, 2 * s.tail) or ''
  if string.match(last, '"reply_to":"msg_(%d+)"') ~= replaced then return { 'NOT_EDITABLE' } end
end
if ON_BUSY == 'reject' and (s.running_turn ~= 0 or s.waiting > 0) then
  return { 'SESSION_BUSY' }
end
if AFTER_REPLY ~= '' and tonumber(AFTER_REPLY) ~= 2 * s.tail then return { 'NOT_LAST_TURN' } end
local over_ms = over_budget_ms(tonumber(TOKENS_PER_HOUR))
if over_ms > 0 then return { 'TOKEN_BUDGET_EXCEEDED', over_ms } end
local exceeded = over_budget(EXCEEDED)
if exceeded then return exceeded end
local tat, wait_ms = check_rate(s.tat, INTERVAL, BURST, 1)
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
if s.waiting >= tonumber(MAX_QUEUED) then return { 'SESSION_QUEUE_FULL' } end
local refusal = refuse_turn(MAX_TURNS) or
  refuse_bytes(#CONTENT + #REQUEST + #PARAMS + #PARTS + past_bytes(BEFORE))
if refusal then return refusal end

local needs_wake_up = ON_BUSY == 'interrupt' and interrupt()
local is_empty = s.first_message > 2 * s.tail
local turn = add_past_turns(BEFORE) + 1
local number = 2 * turn - 1
local message = user_message_json(number, CONTENT, replaced, PARTS ~= '' and PARTS)
local reply, position = enqueue_turn(turn, number, REQUEST, now + DEADLINE, message)
if PARAMS ~= '' then set_params(turn, PARAMS) end
needs_wake_up = needs_wake_up or position == 0
if needs_wake_up then set_due(now + GRACE) end
if s.has_webhook ~= tonumber(HAS_WEBHOOK) then set('has_webhook', HAS_WEBHOOK) end
set('tat', tat)
save_response(KEY, DIGEST, pack_response(turn, number, position, now, seq))
keep_alive(is_empty)
publish()
return { 'ACCEPTED', message, reply, position, needs_wake_up and 0 or 1, s.party or '' }
