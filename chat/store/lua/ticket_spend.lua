#!lua flags=allow-oom
-- Take a ticket for the token that it stands for.
-- include: session access ticket
--
-- ARGV[4] SHA-256 of the ticket    ARGV[5] nonce of this call: the same call may be sent twice
--
-- SPENT token (its SHA-256) | WORTHLESS: unknown, spent or too old | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting')
local no = refused('')
if no then return { no } end
local kept = tickets()
for i, line in ipairs(kept) do
  local ticket, token, ends_at, nonce = string.match(line, TICKET)
  if ticket == ARGV[4] and (nonce == '-' or nonce == ARGV[5]) then
    kept[i] = table.concat({ ticket, token, ends_at, ARGV[5] }, ' ')
    keep_tickets(kept)
    return { 'SPENT', token }
  end
end
return { 'WORTHLESS' }
