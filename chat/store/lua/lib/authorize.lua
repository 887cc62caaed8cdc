-- Access control. Needs `s` with schema, token_hash, expires_at, running_turn, waiting.

-- Return the reply that refuses the caller, or false if the caller has access.
-- token_hash: SHA-256 of the caller's token, or '' for Parley's own processes. A wrong token and a
-- missing session give the same reply. Lua compares interned strings in constant time.
local function authorize(token_hash)
  if not s.schema or (token_hash ~= '' and s.token_hash ~= token_hash) then return 'GONE' end
  if s.expires_at <= now and s.running_turn == 0 and s.waiting == 0 then return 'EXPIRED' end
  return false
end
