-- Tickets of a session, in its field `tickets`, one per line:
--   <SHA-256 of the ticket> <credential> <expiry, ms> <nonce of the redeeming call, or -> <principal>
-- principal: of the credential, in a form that scripts do not read; - for a session's token
local TICKET_PATTERN = '^(%x+) (%S+) (%d+) (%S+) (%S+)$'

-- Return the lines of valid tickets, oldest first. A new token of the session ends those of the old
-- one. Needs authorize.lua.
-- max_ms: for which a ticket is valid; others were issued before the clock stepped back.
local function valid_tickets(max_ms)
  local valid = {}
  for line in string.gmatch(redis.call('HGET', SESSION, 'tickets') or '', '[^\n]+') do
    local _, credential, expires_at = string.match(line, TICKET_PATTERN)
    local ms_left = tonumber(expires_at) - now
    if may_access(credential) and ms_left > 0 and ms_left <= tonumber(max_ms) then
      valid[#valid + 1] = line
    end
  end
  return valid
end

local function write_tickets(lines)
  redis.call('HSET', SESSION, 'tickets', table.concat(lines, '\n'))
end
