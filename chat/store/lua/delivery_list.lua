#!lua flags=no-writes
-- List the deliveries of a session.
-- include: session authorize message_json outbox
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
--
-- Replies:
--   DELIVERIES (number status attempts due_at at code)...   times in ms
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting')
local err = authorize(ARGV[4])
if err then return { err } end
local result = { 'DELIVERIES' }
for _, number in ipairs(delivery_numbers()) do
  local d = read_delivery(number)
  result[#result + 1] = { number, d.status, d.attempts, d.due_at, d.at, d.code }
end
return result
