-- First responses by idempotency key, in a hash that is deleted with the session.
-- Needs session_bytes.lua. A value is "<digest of the request> <data to rebuild the response>".

-- Return the data of the first response, 'IDEMPOTENCY_MISMATCH' if the request differs, or nil.
local function first_response(key, digest)
  local stored = redis.call('HGET', IDEMPOTENCY, key)
  if not stored then return nil end
  local first_digest, response = string.match(stored, '^(%S*) (.*)$')
  return first_digest == digest and response or 'IDEMPOTENCY_MISMATCH'
end

-- Repeated requests save the response again: WAIT covers only writes of the same connection, and
-- the caller may wait for replicas.
local function save_response(key, digest, response)
  local value = digest .. ' ' .. response
  if redis.call('HSET', IDEMPOTENCY, key, value) == 1 then add_kept_bytes(#key + #value) end
end
