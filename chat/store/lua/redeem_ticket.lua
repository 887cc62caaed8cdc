#!lua flags=allow-oom
-- Redeem a ticket for the credential that it represents.
-- include: session authorize tickets
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    SHA-256 of the ticket
-- ARGV[5]    nonce of this call, which may be sent twice
-- ARGV[6]    ms for which a ticket is valid
--
-- Replies:
--   REDEEMED credential principal
--   INVALID    the ticket is unknown, redeemed or expired
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting')
local err = authorize('')
if err then return { err } end
local lines = valid_tickets(ARGV[6])
for i, line in ipairs(lines) do
  local ticket, credential, expires_at, nonce, principal = string.match(line, TICKET_PATTERN)
  if ticket == ARGV[4] and (nonce == '-' or nonce == ARGV[5]) then
    lines[i] = table.concat({ ticket, credential, expires_at, ARGV[5], principal }, ' ')
    write_tickets(lines)
    return { 'REDEEMED', credential, principal }
  end
end
return { 'INVALID' }
