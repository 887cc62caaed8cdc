-- Who may. Needs `s` with v, token, expires, turn, waiting.
-- token: SHA-256 of the caller's token, or '' for Parley's own processes.
-- A wrong token and an absent session look the same. Comparing interned strings takes the same
-- time wherever they differ.
local function refused(token)
  if not s.v or (token ~= '' and s.token ~= token) then return 'GONE' end
  if s.expires <= now and s.turn == 0 and s.waiting == 0 then return 'EXPIRED' end
  return false
end
