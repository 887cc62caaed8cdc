#!lua flags=allow-oom
-- Acquire a slot for a call to a model, or return when to try again.
-- include: limiter/calls
--
-- KEYS       see lib/limiter/keys.lua
-- ARGV[1]    see lib/limiter/keys.lua
-- ARGV[2]    caller
-- ARGV[3]    tokens of the call, estimated
-- ARGV[4]    ms after which a call that waits for a slot tries again
-- ARGV[5]    ms until the call's turn expires
-- ARGV[6]    1 if the call waits only for the rate limit, because the model has a fallback
--
-- Replies:
--   ACQUIRED 0 '' 0 session_id...
--   WAIT ms reason ahead session_id...
--        reason: queue, own_share, circuit, rate_limited or model_loading
--        ahead: waiters that are called before it, at most
--        session_id: waiters that may call now
local CALLER, TOKENS = ARGV[2], tonumber(ARGV[3])
local nodes, session = nodes_of(CALLER)
record_active('parties', nodes[2])
record_active('owners', nodes[3])
if nodes[1] ~= 'anon' then active.key_at = now end
redis.call('HSET', LIMITER, 'active', cjson.encode(active))
local ticket, promised_tokens, joined_at = place_of(session)
local lease_until = tonumber(redis.call('ZSCORE', SLOTS, CALLER) or 0)

local function accept(woken)
  if MAX_CALLS > 0 then lease_slot(CALLER, limits.lease) else redis.call('ZREM', SLOTS, CALLER) end
  if joined_at then
    redis.call('HDEL', PLACES, session)
    redis.call('ZREM', WAITERS, session)
    count('waits:' .. nodes[1], 1)
    count('waited_ms:' .. nodes[1], math.max(0, now - joined_at))
  end
  redis.call('PEXPIRE', LIMITER, limits.ttl)
  redis.call('PEXPIRE', SLOTS, limits.ttl)
  return { 'ACQUIRED', 0, '', 0, unpack(woken) }
end

if lease_until > now then return accept({}) end
if ticket and lease_until > 0 then
  withdraw_promise(CALLER, nodes, session, promised_tokens)
elseif lease_until > 0 then
  remove_expired_slot(CALLER, nodes)
end
count_slots_in_use()
if redis.call('EXISTS', QUEUE) == 0 and not obstacle(nodes, session, TOKENS) then
  start_call(nodes, session, TOKENS)
  return accept({})
end

ticket = ticket or redis.call('HINCRBY', LIMITER, 'ticket', 1)
joined_at = joined_at or now
set_place(CALLER, session, ticket, TOKENS, joined_at)
join_queue(nodes, session, ticket)
local woken = call_waiters()
for i, each in ipairs(woken) do
  if each == session then
    table.remove(woken, i)
    return accept(woken)
  end
end

local reason, ms = obstacle(nodes, session, TOKENS)
local ahead = count_ahead(nodes, session, ticket)
reason, ms = reason or 'queue', ms or tonumber(ARGV[4])
if reason == 'rate_limited' then ms = ms + ahead * limits.interval end
ms = math.ceil(math.max(ms, 1))
if ms < tonumber(ARGV[5]) and (ARGV[6] == '0' or reason == 'rate_limited') then
  redis.call('ZADD', WAITERS, now + ms, session)
else
  remove_waiter(session)
end
keep_alive()
return { 'WAIT', ms, reason, ahead, unpack(woken) }
