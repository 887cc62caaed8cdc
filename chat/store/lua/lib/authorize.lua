-- Access control: the check of a session's token, in the script that uses it. Keep it equal to the
-- copy in read_logs.lua, which reads many sessions and has no `s`; test_events.py compares both.
-- Needs `s` with schema, token_hash, expires_at, running_turn, waiting.

-- Return the reply that refuses the caller, or false if the caller has access.
-- token_hash: SHA-256 of the caller's token, or '' for Parley's own processes. A wrong token and a
-- missing session give the same reply, which becomes a 404: no client can find out which
-- sessions exist. Lua compares interned strings in constant time.
local function authorize(token_hash)
  if not s.schema or (token_hash ~= '' and s.token_hash ~= token_hash) then
    return 'SESSION_NOT_FOUND'
  end
  local is_idle = s.running_turn == 0 and s.waiting == 0
  if is_idle and s.expires_at <= now then return 'SESSION_EXPIRED' end
  return false
end
