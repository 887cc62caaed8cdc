-- Access control: the check of a caller's credential, in the script that uses it. Keep it equal to the
-- copy in read_logs.lua, which reads many sessions and has no `s`; test_events.py compares both.
-- Needs `s` with schema, token_hash, expires_at, running_turn, waiting.

-- Return whether the credential gives access to the session. It is one of
--   '' of Parley's own processes
--   SHA-256 of the session's token
--   'user:...', the owner of the session
--   'tenant:...' or 'key:...', the party of the session
-- Lua compares interned strings in constant time.
local function may_access(credential)
  if credential == '' or credential == s.token_hash then return true end
  local kind = string.match(credential, '^(%l+):')
  return kind and redis.call('HGET', SESSION, kind == 'user' and 'owner' or 'party') == credential
end

-- Return the reply that refuses the caller, or false if the caller has access. A wrong credential
-- and a missing session give the same reply, which becomes a 404: no client can find out which
-- sessions exist.
local function authorize(credential)
  if not s.schema or not may_access(credential) then return 'SESSION_NOT_FOUND' end
  local is_idle = s.running_turn == 0 and s.waiting == 0
  if is_idle and s.expires_at <= now then return 'SESSION_EXPIRED' end
  return false
end
