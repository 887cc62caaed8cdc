-- New turns. Needs session_bytes.lua, and `s` with running_turn, waiting, lease_until, retry_at,
-- next_deadline.

-- Return whether a party has its share of the waiting turns. max_turns: see below
local function has_share(party, max_turns, share)
  local min_share, full = string.match(max_turns, '^%d+ %d+ %d+ (%d+)(.*)$')
  return string.find(full .. ' ', ' ' .. party .. ' ', 1, true) or
    tonumber(redis.call('ZSCORE', WAITING_BY_PARTY, party) or 0) >= math.max(min_share, share)
end

-- Return the reply that refuses a turn because too many are open, or nil.
-- max_turns: "waiting user other min_share party...": waiting turns of the partition; open turns in it
-- of one user, whose sessions are all here, or of another owner, whose sessions are spread, 0 for no
-- limit; waiting turns that a party may always have; parties that have their share of all partitions.
-- Shares: see chat/store/queue_limit.py.
local function refuse_turn(max_turns)
  local max_waiting, of_user, of_other = string.match(max_turns, '^(%d+) (%d+) (%d+)')
  local waiting, open = unpack(redis.call('HMGET', COUNTS, 'waiting', owner_turns()))
  local free = max_waiting - (waiting or 0)
  if free <= 0 then return { 'QUEUE_FULL' } end
  local is_user = s.owner and string.sub(s.owner, 1, 5) == 'user:'
  local max_open = tonumber(is_user and of_user or of_other)
  if max_open > 0 and tonumber(open or 0) >= max_open or
    has_share(s.party or '', max_turns, math.floor(free / 3)) then
    return { 'OWNER_QUEUE_FULL' }
  end
  if is_of_address() and has_share(ALL_ADDRESSES, max_turns, free) then return { 'QUEUE_FULL' } end
end

-- Append a turn to the session queue, and log it. Return its reply and the number of turns ahead.
-- request: options and request id, JSON. message: JSON of the user message, if it is new.
local function enqueue_turn(turn, prompt, request, deadline, message)
  local position = s.waiting + (s.running_turn ~= 0 and 1 or 0)
  local reply = queued_reply_json(turn, prompt, position, now)
  local entries = { 2 * turn, reply, 2 * turn .. ':request', deadline .. ' ' .. request }
  if message then entries[5], entries[6] = prompt, message end
  add_bytes(#reply + #(message or ''))
  redis.call('HSET', MESSAGES, unpack(entries))
  set('tail', turn)
  if position == 0 then set('turn_start', seq + 1) end
  set('next_deadline', s.waiting > 0 and s.next_deadline > 0 and
    math.min(s.next_deadline, deadline) or deadline)
  if position > 0 and deadline < (s.running_turn ~= 0 and s.lease_until or s.retry_at) then
    set_due(deadline)
  end
  change_waiting(1)
  redis.call('HINCRBY', COUNTS, 'accepted', 1)
  redis.call('HINCRBY', COUNTS, owner_turns(), 1)
  append_event('message.queued',
    ',"message_id":"' .. reply_id(turn) .. '"' .. queued_members(message, reply),
    table.concat({ 'q' .. now, turn, prompt, position, message and 1 or 0 }, ' '))
  return reply, position
end
