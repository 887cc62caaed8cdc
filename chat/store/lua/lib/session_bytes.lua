-- The size of a session: `bytes` of its fields, messages and saved responses, of which a reset keeps
-- `kept_bytes`, and `log_bytes` of its event log. Needs `s` with bytes, kept_bytes.

local function add_bytes(change)
  set('bytes', math.max(0, s.bytes + change))
end

-- Count bytes that a reset does not delete.
local function add_kept_bytes(change)
  add_bytes(change)
  set('kept_bytes', math.max(0, s.kept_bytes + change))
end

local function is_session_full(more)
  return s.bytes + s.log_bytes + more > tonumber(MAX_SESSION_BYTES)
end
