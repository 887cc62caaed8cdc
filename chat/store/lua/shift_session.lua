#!lua flags=allow-oom
-- Correct the times of a session and its pending deliveries after the clock has stepped. Otherwise
-- nothing happens to them before the clock is back where it was, or their time is over at once.
-- include: session turns message_json outbox keep_alive shift
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4-5]  step and since, see lib/shift.lua
-- ARGV[6]    lease of a turn, ms
-- ARGV[7]    longest deadline of a turn, ms
--
-- Replies:
--   SHIFTED
local step, since, lease, max_deadline = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]),
  tonumber(ARGV[7])
local shift, extend = shift_by(step, since), extend_by(step, since)

local function shift_score(key, member)
  local ms = redis.call('ZSCORE', key, member)
  if ms then redis.call('ZADD', key, shift(tonumber(ms)), member) end
end

local function shift_delivery(number)
  local d = read_delivery(number)
  if d.status ~= 'pending' then return end
  d.due_at = shift(d.due_at)
  write_delivery(number, d)
  shift_score(OUTBOX, ID .. ':' .. number)
end

local function shift_open_turns()
  for _, key in ipairs({ DUE, WAITING, RUNNING }) do shift_score(key, ID) end
  set('retry_at', shift(s.retry_at))
  set('lease_until', extend(s.lease_until, lease))
  set('deadline', extend(s.deadline, max_deadline))
  set('next_deadline', extend(s.next_deadline, max_deadline))
  for turn = s.head, s.tail do
    local _, deadline, request = read_open_turn(turn)
    if deadline then
      redis.call('HSET', MESSAGES, 2 * turn .. ':request',
        extend(deadline, max_deadline) .. ' ' .. request)
    end
  end
end

-- Let the session live as long as without the step. Only a step forward ends sessions early.
local function extend_life()
  if step < 0 or s.created_at >= since then return end
  set('max_expires_at', s.max_expires_at + step)
  set('expires_at', math.min(extend(s.expires_at, s.ttl * 1000), s.max_expires_at))
  keep_keys()
end

read('schema', 'head', 'tail', 'waiting', 'running_turn', 'lease_until', 'deadline', 'retry_at',
  'next_deadline', 'ttl', 'created_at', 'expires_at', 'max_expires_at', 'keys_expire_at',
  'shifted_since')
for _, number in ipairs(delivery_numbers()) do shift_delivery(number) end
if not s.schema or s.shifted_since == since then return { 'SHIFTED' } end

set('shifted_since', since)
extend_life()
if s.running_turn ~= 0 or s.waiting > 0 then
  shift_open_turns()
else
  set_due(s.expires_at)
end
save()
return { 'SHIFTED' }
