#!lua flags=no-writes
-- Read messages from a place in the history on.
-- include: session access reply shown
--
-- ARGV[4] SHA-256 of the caller's token, or ''
-- ARGV[5] number of the message to begin beside; -1 begins at the end that `step` leads away from
-- ARGV[6] step: 1 reads newer ones, -1 older ones    ARGV[7] most messages
--
-- PAGE has_more message... (in the order read) | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting', 'head', 'tail', 'first')
local no = refused(ARGV[4])
if no then return { no } end
local step, most = tonumber(ARGV[6]), tonumber(ARGV[7])
local first, last = s.first, 2 * s.tail
local number = tonumber(ARGV[5])
if number < 0 then number = step > 0 and first - 1 or last + 1 end
local answer = { 'PAGE', 0 }
number = step > 0 and math.max(number + 1, first) or math.min(number - 1, last)
while number >= first and number <= last do
  local message = redis.call('HGET', MESSAGES, number)
  if message and #answer - 2 == most then
    answer[2] = 1
    break
  end
  if message then answer[#answer + 1] = shown(number, message) end
  number = number + step
end
return answer
