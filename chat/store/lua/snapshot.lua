#!lua flags=no-writes
-- Read the session and its newest messages.
-- include: session access reply shown
--
-- ARGV[4] SHA-256 of the caller's token, or ''
-- ARGV[5] seq that the caller has seen, -1 for none: only messages changed since are given
-- ARGV[6] seq for which the caller wants no answer, -1 for none
-- ARGV[7] most messages
--
-- SNAPSHOT now seq turn waiting created active expires has_more name model system_prompt context
--   metadata webhook_url message...   (times in ms since the epoch)
-- UNCHANGED seq | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting', 'head', 'tail', 'first', 'created', 'active',
  'name', 'model', 'system_prompt', 'context', 'metadata', 'webhook_url')
local no = refused(ARGV[4])
if no then return { no } end
local after = tonumber(ARGV[5])
if after > seq then after = -1 end -- a cursor from before a loss: nothing that it stands for is there
if seq == tonumber(ARGV[6]) then return { 'UNCHANGED', seq } end

local last = 2 * s.tail
local from = math.max(s.first, last - ARGV[7] + 1)
local answer = { 'SNAPSHOT', now, seq, s.turn, s.waiting, s.created, s.active, s.expires,
  from > s.first and 1 or 0, s.name, s.model, s.system_prompt, s.context, s.metadata,
  s.webhook_url or 'null' }
if last < from or after >= seq then return answer end
local numbers = {}
for number = from, last do numbers[#numbers + 1] = number end
for i, message in ipairs(redis.call('HMGET', MESSAGES, unpack(numbers))) do
  local number = from + i - 1
  if message and (number == 2 * s.turn or tonumber((state_of(message))) > after) then
    answer[#answer + 1] = shown(number, message)
  end
end
return answer
