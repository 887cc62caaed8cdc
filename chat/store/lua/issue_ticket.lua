#!lua
-- Store a ticket that can be redeemed once in place of the caller's token.
-- include: session authorize tickets changes
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    SHA-256 of the ticket
-- ARGV[6]    ms for which the ticket is valid
-- ARGV[7]    max tickets of the session; a new one replaces the oldest
-- ARGV[8]    ms between changes at the steady rate; 0 for no limit
-- ARGV[9]    burst, changes
-- ARGV[10]   principal of the credential, or -
--
-- Replies:
--   ISSUED | SESSION_NOT_FOUND | SESSION_EXPIRED
--   RATE_LIMITED ms   until the next change is allowed
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'changes_tat')
local err = authorize(ARGV[4])
if err then return { err } end
local lines = valid_tickets(ARGV[6])
for _, line in ipairs(lines) do
  if string.match(line, TICKET_PATTERN) == ARGV[5] then return { 'ISSUED' } end -- sent again
end
local wait_ms = count_change(ARGV[8], ARGV[9])
if wait_ms > 0 then return { 'RATE_LIMITED', wait_ms } end
if #lines >= tonumber(ARGV[7]) then table.remove(lines, 1) end
lines[#lines + 1] = table.concat({ ARGV[5], ARGV[4], now + ARGV[6], '-', ARGV[10] }, ' ')
write_tickets(lines)
save()
return { 'ISSUED' }
