#!lua
-- Reserve bytes for a session in the quotas of its holders, or change nothing.
-- include: clock quota
--
-- KEYS       see lib/quota.lua
-- ARGV[1]    session id
-- ARGV[2]    bytes that the session needs
-- ARGV[3]    bytes to reserve if there is room, at least ARGV[2]
-- ARGV[4]    seconds that a reservation can last
-- ARGV[5]    ms between audits of a full quota
-- ARGV[6...] for each key: max sessions, max bytes; 0 for no limit
--
-- Replies:
--   RESERVED bytes
--   QUOTA_FULL index   index: of the full quota if its audit is due, else 0
local needed, bytes, full = tonumber(ARGV[2]), tonumber(ARGV[3]), nil
for i, key in ipairs(KEYS) do
  local max_sessions, max_bytes = tonumber(ARGV[4 + 2 * i]), tonumber(ARGV[5 + 2 * i])
  local reserved = reserved_bytes(key, ARGV[1])
  if max_bytes > 0 then
    bytes = math.min(bytes, max_bytes - total_bytes(key) + (reserved or 0))
  end
  local is_new = not reserved and max_sessions > 0
  if bytes < needed or (is_new and count_sessions(key) >= max_sessions) then
    full = i
    break
  end
end
if full then return { 'QUOTA_FULL', start_audit(KEYS[full], ARGV[5]) and full or 0 } end
for _, key in ipairs(KEYS) do reserve(key, ARGV[1], bytes, ARGV[4]) end
return { 'RESERVED', bytes }
