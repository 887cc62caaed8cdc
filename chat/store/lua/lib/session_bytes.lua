-- The size of a session: `bytes` of its fields, messages and saved responses, of which a reset keeps
-- `kept_bytes`, and `log_bytes` of its event log. The sum may reach `quota`, the bytes that are
-- reserved for the session in the quotas of its `quota_holders`; 0 for no limit. Needs `s` with
-- bytes, kept_bytes, quota.

local function add_bytes(change)
  set('bytes', math.max(0, s.bytes + change))
end

-- Count bytes that a reset does not delete.
local function add_kept_bytes(change)
  add_bytes(change)
  set('kept_bytes', math.max(0, s.kept_bytes + change))
end

-- Return the reply that refuses to add bytes, or nil if there is room for them.
local function refuse_bytes(more)
  local total = s.bytes + s.log_bytes + more
  if total > tonumber(MAX_SESSION_BYTES) then return { 'SESSION_FULL' } end
  if s.quota == 0 or total <= s.quota then return nil end
  return { 'QUOTA_NEEDED', total, redis.call('HGET', SESSION, 'quota_holders') }
end
