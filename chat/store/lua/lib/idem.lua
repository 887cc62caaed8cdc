-- First answers by idempotency key: a hash of the session, so that it goes with the session.
-- A value is "<digest of the request> <what the first answer was built of>".

-- The first answer's text, 'MISMATCH' when the key came with another request, or nil.
local function first_answer(key, digest)
  local kept = redis.call('HGET', IDEM, key)
  if not kept then return nil end
  local known, answer = string.match(kept, '^(%S*) (.*)$')
  return known == digest and answer or 'MISMATCH'
end

-- Also of an answer that is kept already: whoever asks again may have to wait for replicas, and
-- WAIT counts what its own connection has written.
local function keep_answer(key, digest, answer)
  redis.call('HSET', IDEM, key, digest .. ' ' .. answer)
end
