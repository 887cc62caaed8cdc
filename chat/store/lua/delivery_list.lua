#!lua flags=no-writes
-- Tell how far each of a session's deliveries has come.
-- include: session access reply outbox
--
-- ARGV[4] SHA-256 of the caller's token, or ''
--
-- DELIVERIES (number status attempts free-at at code)... | GONE | EXPIRED   (times in ms)
read('v', 'token', 'expires', 'turn', 'waiting')
local no = refused(ARGV[4])
if no then return { no } end
local answer = { 'DELIVERIES' }
for _, number in ipairs(numbers_of_deliveries()) do
  local d = delivery_of(number)
  answer[#answer + 1] = { number, d.status, d.attempts, d.free_at, d.at, d.code }
end
return answer
