-- A session's tickets: a text of the session, so that they go with it; a line for each.
--   <SHA-256 of the ticket> <SHA-256 of the token that it stands for> <ms of its end> <nonce>
-- The nonce is that of the call that has spent it, - before.
local TICKET = '^(%x+) (%x+) (%d+) (%S+)$'

-- The lines of tickets that are still worth something, oldest first. Needs `s` with token.
local function tickets()
  local kept = {}
  for line in string.gmatch(redis.call('HGET', SESSION, 'tickets') or '', '[^\n]+') do
    local _, token, ends_at = string.match(line, TICKET)
    if token == s.token and tonumber(ends_at) > now then kept[#kept + 1] = line end
  end
  return kept
end

local function keep_tickets(lines)
  redis.call('HSET', SESSION, 'tickets', table.concat(lines, '\n'))
end
