-- The session that a script acts on: its keys, its fields, and the time.
-- include: clock event_json session_keys
--
-- KEYS       see lib/session_keys.lua
-- ARGV[1]    session id
-- ARGV[2]    limits: events of the log, bytes of the log, bytes of the session
-- ARGV[3]    seconds that keys outlive the session's expiry
--
-- Fields of the session's hash; times in ms since the epoch:
--   schema              version of the stored format
--   token_hash          SHA-256 of the token
--   ttl                 seconds
--   created_at, last_active_at, expires_at, max_expires_at
--   keys_expire_at      when the TTL of the keys ends
--   rotated_expires_at  expires_at after the last rotation of the token, to repeat its reply
--   seq                 number of the newest event
--   log_bytes           of the event log
--   log_start, log_end  seq of the newest event that the log no longer has, and of its last one; an older
--                       version does not count those that it adds to the stream
--   turn_start          seq of the `message.queued` event of the oldest open turn, or of the last turn
--                       if none is open; 0 for none. See lib/events.lua
--   head, tail          first and last turn of the session queue
--   waiting             number of queued turns
--   running_turn        number of the running turn, 0 for none
--   fence, nonce, worker, lease_until, started_at, deadline   of the running turn's claim
--   finished_nonce      nonce of the claim that finished last
--   attempt, retry_at   attempts at the head so far, and when it may be retried
--   cancel_requested    1: the worker must cancel the running turn
--   partial_bytes       bytes of the running reply's output, see lib/output.lua
--   has_items           1: replies may have `<reply>:items`, see lib/output.lua
--   next_deadline       earliest deadline of waiting turns or of one that has ended, 0 for none
--   first_message       number of the oldest message since the last reset
--   tenant, user, api_key, addresses   of the client that opened it; missing if empty
--   policy              of the API key that opened it, JSON; missing if it has none
--   unlisted            1: the list of the user's sessions leaves it out; else missing
--   owner, party        see chat/domain/identity.py
--   bytes, kept_bytes, quota, quota_holders   see lib/session_bytes.lua
--   file_bytes          of the session's files, which are part of `bytes`
--   tat                 theoretical arrival time of the next message, by GCRA
--   changes_tat         the same of the next change, see lib/changes.lua
--   tokens              of all attempts
--   errors, error_code, ratings   see lib/labels.lua
--   tokens_used, budget_resets_at   see lib/token_budget.lua
--   prompt_tokens       of the prompt of the reply with partial_bytes, estimated
--   charged_nonce, charged_usage   of the last attempt with a reservation, see lib/budgets.lua
--   has_webhook         1: the deployment has a webhook
--   tickets             see lib/tickets.lua
--   shifted_since       of the last step of the clock that was corrected, see lib/shift.lua
--   name, model, system_prompt, context, metadata, webhook_url   JSON
local ID, KEY_TTL_MARGIN = ARGV[1], ARGV[3] * 1000
local EVENT_LOG_SIZE, EVENT_LOG_BYTES, MAX_SESSION_BYTES =
  string.match(ARGV[2], '^(%d+) (%d+) (%d+)$')

local TEXT_FIELDS = {
  schema = true, token_hash = true, nonce = true, finished_nonce = true, worker = true,
  name = true, system_prompt = true, model = true, context = true, metadata = true,
  webhook_url = true, tenant = true, user = true, api_key = true, addresses = true, owner = true,
  party = true, quota_holders = true, policy = true,
}

local s = {} -- fields that the script has read or set, by name

-- Read fields. A missing number is 0, a missing text nil.
local function read_fields(...)
  local names = { ... }
  local found = redis.call('HMGET', SESSION, ...)
  for i = 1, #names do
    local name, value = names[i], found[i]
    if TEXT_FIELDS[name] then s[name] = value or nil else s[name] = tonumber(value or 0) end
  end
end

-- Read fields, and those of the event log. `schema` is nil if the session is gone.
local function read(...)
  read_fields('seq', 'log_bytes', 'log_start', 'log_end', 'turn_start', ...)
  seq = s.seq
end

-- Return the field of COUNTS for the open turns of the session's owner in this partition.
local function owner_turns()
  return 'turns:' .. (s.owner or '')
end

local changed, places = {}, {} -- field, value, field, value, ...; the places of the fields

-- Change a field; `save` writes all changes at once.
local function set(name, value)
  s[name] = value
  local place = places[name]
  if not place then
    place = #changed + 1
    places[name], changed[place] = place, name
  end
  changed[place + 1] = value
end

local function save()
  if changed[1] then redis.call('HSET', SESSION, unpack(changed)) end
end

local function set_due(ms)
  redis.call('ZADD', DUE, ms, ID)
end

-- Make the session due at `ms`, or at the earliest deadline of its waiting turns. Needs `s` with
-- next_deadline.
local function set_due_by(ms)
  set_due(s.next_deadline > 0 and math.min(ms, s.next_deadline) or ms)
end
