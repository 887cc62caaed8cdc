#!lua flags=allow-oom
-- Correct the times of open turns and pending deliveries after the clock has stepped back. Otherwise
-- nothing happens to them before the clock is back where it was.
-- include: session turns message_json outbox shift
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    ms by which the clock has stepped back
--
-- Replies:
--   SHIFTED
local shift = shift_by(tonumber(ARGV[4]))

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

read('schema', 'head', 'tail', 'waiting', 'running_turn', 'lease_until', 'deadline', 'retry_at',
  'next_deadline')
for _, number in ipairs(delivery_numbers()) do shift_delivery(number) end
if s.running_turn == 0 and s.waiting == 0 then return { 'SHIFTED' } end

shift_score(DUE, ID)
for _, name in ipairs({ 'lease_until', 'deadline', 'retry_at', 'next_deadline' }) do
  set(name, shift(s[name]))
end
save()
for turn = s.head, s.tail do
  local _, deadline, request = read_open_turn(turn)
  if deadline then
    redis.call('HSET', MESSAGES, 2 * turn .. ':request', shift(deadline) .. ' ' .. request)
  end
end
return { 'SHIFTED' }
