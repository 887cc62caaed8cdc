-- The session that a script acts on: its keys, its fields, the time.
--
-- Every script over one session takes the same KEYS, in the order of `keys.SessionKeys`, and begins
-- its ARGV with
--   ARGV[1] session id
--   ARGV[2] entries of the event log to keep
--   ARGV[3] seconds that keys outlive the session's expiry
local SESSION, MESSAGES, PARTIAL, EVENTS, IDEM, DUE, INDEX, COUNTS, WAITING, RUNNING, TALLY,
  RECENT, DELIVERIES, OUTBOX, FACETS, NAMES = unpack(KEYS)
local ID, KEPT, MARGIN = ARGV[1], ARGV[2], ARGV[3] * 1000

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) -- milliseconds since the epoch

local TEXTS = {
  v = true, token = true, nonce = true, done = true, worker = true,
  name = true, system_prompt = true, model = true, context = true, metadata = true,
  webhook_url = true,
}

local s = {} -- the fields that the script has read or set, by name
local seq -- the number of the newest event

-- Read the named fields: numbers as numbers, 0 where absent; texts as texts, nil where absent. `v`
-- is nil when the session is gone.
local function read(...)
  local found = redis.call('HMGET', SESSION, 'seq', ...)
  seq = tonumber(found[1] or 0)
  for i, name in ipairs({ ... }) do
    local value = found[i + 1]
    if TEXTS[name] then s[name] = value or nil else s[name] = tonumber(value or 0) end
  end
end

local changed = {} -- field, value, field, value, ...

-- Change a field; `save` writes all changes at once.
local function set(name, value)
  s[name] = value
  local n = #changed
  changed[n + 1], changed[n + 2] = name, value
end

local function save()
  if changed[1] then redis.call('HSET', SESSION, unpack(changed)) end
end

local function due_at(ms)
  redis.call('ZADD', DUE, ms, ID)
end

-- Due at `ms`, or when the first of the turns that wait is past its deadline. Needs `s` with soonest:
-- the earliest deadline of those that wait, 0 for none; it may be one that has ended since.
local function due_by(ms)
  due_at(s.soonest > 0 and math.min(ms, s.soonest) or ms)
end

-- Seconds since the epoch, as they stand in JSON.
local function seconds(ms)
  return string.format('%.3f', ms / 1000)
end
