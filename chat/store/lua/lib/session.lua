-- The session that a script acts on: its keys, its fields, the time.
--
-- Every script over one session takes the same KEYS, in the order of `keys.SessionKeys`, and begins
-- its ARGV with
--   ARGV[1] session id
--   ARGV[2] entries of the event log to keep
local SESSION, MESSAGES, PARTIAL, EVENTS, IDEM, DUE, INDEX, COUNTS = unpack(KEYS)
local ID, KEPT = ARGV[1], ARGV[2]

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) -- milliseconds since the epoch

local TEXTS = {
  v = true, token = true, nonce = true, done = true, worker = true,
  name = true, system_prompt = true, model = true, context = true, metadata = true,
}

local s -- the fields that the script has read, by name

-- The named fields of the session; numbers as numbers, 0 where absent. `v` is nil when it is gone.
local function read(...)
  local fields = {}
  local found = redis.call('HMGET', SESSION, ...)
  for i, name in ipairs({ ... }) do
    if TEXTS[name] then
      fields[name] = found[i] or nil
    else
      fields[name] = tonumber(found[i] or 0)
    end
  end
  return fields
end

-- Seconds since the epoch, as they stand in JSON.
local function seconds(ms)
  return string.format('%.3f', ms / 1000)
end
