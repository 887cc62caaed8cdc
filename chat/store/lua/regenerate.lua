#!lua
-- Accept a turn that answers the last user message again; the earlier reply stays.
-- include: session authorize events counters message_json render_message turns token_usage
-- include: enqueue_delivery finish_turn keep_alive session_bytes idempotency enqueue_turn replay
-- include: token_budget rate exceeded_budgets
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    number of the reply to replace, or of its user message
-- ARGV[6]    request: options and request id, JSON object
-- ARGV[7]    deadline, ms from now
-- ARGV[8]    ms until the sweeper checks the turn, in case its wake-up is lost
-- ARGV[9]    max turns of the partition, an owner and a party, see lib/enqueue_turn.lua
-- ARGV[10]   interval between messages at the steady rate, ms; 0 for no limit
-- ARGV[11]   burst, messages
-- ARGV[12]   idempotency key, never empty
-- ARGV[13]   digest of the request
-- ARGV[14]   1 if the deployment has a webhook
-- ARGV[15]   tokens per hour that the session may use; 0 for no limit
-- ARGV[16]   exceeded budgets, see lib/exceeded_budgets.lua
--
-- Replies:
--   ACCEPTED message reply position awake party   awake: 1 if the session needs no wake-up
--   REPLAYED message reply position awake   the first response, or a reply that is open already
--   NOT_REGENERABLE                         the message does not belong to the last turn
--   RATE_LIMITED ms | TOKEN_BUDGET_EXCEEDED ms | BUDGET_EXCEEDED ms budget ends_at
--   OWNER_QUEUE_FULL | QUEUE_FULL | SESSION_FULL | IDEMPOTENCY_MISMATCH | MESSAGE_NOT_FOUND
--   SESSION_NOT_FOUND | SESSION_EXPIRED
--   QUOTA_NEEDED bytes holders   see lib/session_bytes.lua
read('schema', 'owner', 'party', 'token_hash', 'expires_at', 'running_turn', 'head', 'tail',
  'waiting', 'ttl', 'max_expires_at', 'keys_expire_at', 'tat', 'has_webhook', 'lease_until',
  'retry_at', 'next_deadline', 'tokens_used', 'budget_resets_at', 'bytes', 'kept_bytes', 'quota')
local err = authorize(ARGV[4])
if err then return { err } end
local response = first_response(ARGV[12], ARGV[13])
if response == 'IDEMPOTENCY_MISMATCH' then return { response } end
if response then
  save_response(ARGV[12], ARGV[13], response)
  return replay(response)
end
local old = redis.call('HGET', MESSAGES, 2 * math.ceil(ARGV[5] / 2))
if not old or redis.call('HEXISTS', MESSAGES, ARGV[5]) == 0 then
  return { 'MESSAGE_NOT_FOUND' }
end
local prompt = string.match(old, '"reply_to":"msg_(%d+)"')
local message, last = unpack(redis.call('HMGET', MESSAGES, prompt, 2 * s.tail))
if string.match(last, '"reply_to":"msg_(%d+)"') ~= prompt then return { 'NOT_REGENERABLE' } end

local tat, wait_ms = check_rate(s.tat, ARGV[10], ARGV[11], 1)
local last_seq, status = message_state(last)
if status == 'queued' or status == 'in_progress' then
  -- Limited as well, because each saved response takes memory.
  if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
  local refusal = refuse_bytes(#ARGV[12])
  if refusal then return refusal end
  set('tat', tat)
  local position = position_of(s.tail)
  local created = math.floor(parse_open_reply(last).created_at * 1000 + 0.5)
  save_response(ARGV[12], ARGV[13], pack_response(s.tail, prompt, position, created, last_seq))
  save()
  return { 'REPLAYED', message, render_message(2 * s.tail, last), position, is_awake() }
end

local over_ms = over_budget_ms(tonumber(ARGV[15]))
if over_ms > 0 then return { 'TOKEN_BUDGET_EXCEEDED', over_ms } end
local exceeded = over_budget(ARGV[16])
if exceeded then return exceeded end
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
local refusal = refuse_turn(ARGV[9]) or refuse_bytes(#ARGV[6])
if refusal then return refusal end
local turn = s.tail + 1
local reply, position = enqueue_turn(turn, prompt, ARGV[6], now + ARGV[7])
if position == 0 then set_due(now + ARGV[8]) end
save_response(ARGV[12], ARGV[13], pack_response(turn, prompt, position, now, seq))
if s.has_webhook ~= tonumber(ARGV[14]) then set('has_webhook', ARGV[14]) end
set('tat', tat)
keep_alive()
publish()
return { 'ACCEPTED', message, reply, position, position > 0 and 1 or 0, s.party or '' }
