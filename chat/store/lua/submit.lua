#!lua
-- Accept a user message and the turn that will answer it, or change nothing.
-- include: session authorize events counters message_json turns token_usage enqueue_delivery
-- include: finish_turn keep_alive session_bytes idempotency enqueue_turn replay interrupt token_budget
-- include: rate exceeded_budgets params
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    content, the inside of a JSON string
-- ARGV[6]    request: options and request id, JSON object
-- ARGV[7]    deadline, ms from now
-- ARGV[8]    ms until the sweeper checks the turn, in case its wake-up is lost
-- ARGV[9]    on_busy: enqueue, reject or interrupt
-- ARGV[10]   idempotency key, never empty
-- ARGV[11]   digest of the request
-- ARGV[12]   max waiting turns of the session
-- ARGV[13]   max turns of the partition, an owner and a party, see lib/enqueue_turn.lua
-- ARGV[14]   interval between messages at the steady rate, ms; 0 for no limit
-- ARGV[15]   burst, messages
-- ARGV[16]   1 if the deployment has a webhook
-- ARGV[17]   tokens per hour that the session may use; 0 for no limit
-- ARGV[18]   exceeded budgets, see lib/exceeded_budgets.lua
-- ARGV[19]   number of the user message that this one is an edited version of, or ''
-- ARGV[20]   params that are kept with the reply, JSON object, or ''
-- ARGV[21]   number of the reply that must be the last one, or '' for any
-- ARGV[22]   parts of the message, JSON list, or '' if it has only text
--
-- Replies:
--   ACCEPTED message reply position awake party   awake: 1 if the session needs no wake-up
--   REPLAYED message reply position awake   the first response to this key
--   RATE_LIMITED ms | TOKEN_BUDGET_EXCEEDED ms   ms until the next message is accepted
--   BUDGET_EXCEEDED ms budget ends_at
--   SESSION_BUSY                            a turn is open, and on_busy is reject
--   NOT_EDITABLE                            the message to replace is not that of the last turn
--   NOT_LAST_TURN                           the reply of ARGV[21] is not the last one
--   SESSION_QUEUE_FULL | OWNER_QUEUE_FULL | QUEUE_FULL | SESSION_FULL
--   IDEMPOTENCY_MISMATCH | SESSION_NOT_FOUND | SESSION_EXPIRED
--   QUOTA_NEEDED bytes holders   see lib/session_bytes.lua
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'head', 'tail',
  'first_message', 'attempt', 'retry_at', 'partial_bytes', 'bytes', 'kept_bytes', 'quota', 'ttl',
  'max_expires_at', 'keys_expire_at', 'tat', 'has_webhook', 'lease_until', 'next_deadline',
  'tokens_used', 'budget_resets_at')
local err = authorize(ARGV[4])
if err then return { err } end

local response = first_response(ARGV[10], ARGV[11])
if response == 'IDEMPOTENCY_MISMATCH' then return { response } end
if response then
  save_response(ARGV[10], ARGV[11], response)
  return replay(response)
end

local replaced = ARGV[19] ~= '' and ARGV[19] or nil
if replaced then
  local last = redis.call('HGET', MESSAGES, 2 * s.tail) or ''
  if string.match(last, '"reply_to":"msg_(%d+)"') ~= replaced then return { 'NOT_EDITABLE' } end
end
if ARGV[9] == 'reject' and (s.running_turn ~= 0 or s.waiting > 0) then
  return { 'SESSION_BUSY' }
end
if ARGV[21] ~= '' and tonumber(ARGV[21]) ~= 2 * s.tail then return { 'NOT_LAST_TURN' } end
local over_ms = over_budget_ms(tonumber(ARGV[17]))
if over_ms > 0 then return { 'TOKEN_BUDGET_EXCEEDED', over_ms } end
local exceeded = over_budget(ARGV[18])
if exceeded then return exceeded end
local tat, wait_ms = check_rate(s.tat, ARGV[14], ARGV[15], 1)
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
if s.waiting >= tonumber(ARGV[12]) then return { 'SESSION_QUEUE_FULL' } end
local refusal = refuse_turn(ARGV[13]) or refuse_bytes(#ARGV[5] + #ARGV[6] + #ARGV[20] + #ARGV[22])
if refusal then return refusal end

local needs_wake_up = ARGV[9] == 'interrupt' and interrupt()
local is_empty = s.first_message > 2 * s.tail
local turn = s.tail + 1
local number = 2 * turn - 1
local message = user_message_json(number, ARGV[5], replaced, ARGV[22] ~= '' and ARGV[22])
local reply, position = enqueue_turn(turn, number, ARGV[6], now + ARGV[7], message)
if ARGV[20] ~= '' then set_params(turn, ARGV[20]) end
needs_wake_up = needs_wake_up or position == 0
if needs_wake_up then set_due(now + ARGV[8]) end
if s.has_webhook ~= tonumber(ARGV[16]) then set('has_webhook', ARGV[16]) end
set('tat', tat)
save_response(ARGV[10], ARGV[11], pack_response(turn, number, position, now, seq))
keep_alive(is_empty)
publish()
return { 'ACCEPTED', message, reply, position, needs_wake_up and 0 or 1, s.party or '' }
