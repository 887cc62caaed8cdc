-- Creation of a session, for `create` and `restore`. Needs search_index.lua, session_bytes.lua.
local SCHEMA = 2 -- of what is stored; scripts ignore sessions without this field
local IDENTITY_FIELDS = { 'tenant', 'user', 'api_key', 'addresses', 'quota_holders', 'owner',
  'party', 'policy' }

-- Write the session's fields from ARGV[4-24] of create. Return the reply if the session exists.
local function create_session()
  read('schema', 'token_hash', 'created_at', 'expires_at')
  if s.schema then
    if s.token_hash ~= ARGV[4] then return { 'IDEMPOTENCY_MISMATCH' } end
    return { 'EXISTS', s.created_at, s.expires_at }
  end
  s.ttl, s.max_expires_at = tonumber(ARGV[5]), now + ARGV[6] * 1000
  -- Small hashes are searched from their first field, so those that `append` reads come first.
  redis.call('HSET', SESSION, 'schema', SCHEMA, 'seq', 0, 'log_bytes', 0, 'log_start', 0,
    'log_end', 0, 'turn_start', 0, 'running_turn', 0, 'fence', 0, 'nonce', '', 'lease_until', 0,
    'cancel_requested', 0, 'partial_bytes', 0, 'head', 1, 'tail', 0, 'waiting', 0, 'attempt', 0,
    'token_hash', ARGV[4], 'ttl', s.ttl, 'max_expires_at', s.max_expires_at,
    'first_message', 1, 'created_at', now, 'name', ARGV[7], 'system_prompt', ARGV[8],
    'model', ARGV[9], 'context', ARGV[10], 'metadata', ARGV[11], 'webhook_url', ARGV[12])
  for i, name in ipairs(IDENTITY_FIELDS) do
    if ARGV[13 + i] ~= '' then set(name, ARGV[13 + i]) end
  end
  if ARGV[24] ~= '' then set('unlisted', ARGV[24]) end
  s.bytes, s.kept_bytes, s.file_bytes = 0, 0, 0
  for i = 7, 12 do add_kept_bytes(#ARGV[i]) end
  redis.call('HINCRBY', COUNTS, 'sessions', 1)
  index_session(ARGV[9], ARGV[13], ARGV[23])
  return nil
end
