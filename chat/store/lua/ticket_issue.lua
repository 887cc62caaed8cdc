#!lua
-- Note a ticket that stands for the caller's token, once.
-- include: session access ticket
--
-- ARGV[4] SHA-256 of the caller's token
-- ARGV[5] SHA-256 of the ticket    ARGV[6] ms until it is worth nothing
-- ARGV[7] most tickets of the session; the oldest one makes room
--
-- ISSUED | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting')
local no = refused(ARGV[4])
if no then return { no } end
local kept = tickets()
for _, line in ipairs(kept) do
  if string.match(line, TICKET) == ARGV[5] then return { 'ISSUED' } end -- the same call, sent twice
end
if #kept >= tonumber(ARGV[7]) then table.remove(kept, 1) end
kept[#kept + 1] = table.concat({ ARGV[5], s.token, now + ARGV[6], '-' }, ' ')
keep_tickets(kept)
return { 'ISSUED' }
