#!lua flags=no-writes
-- Read the session and its newest messages.
-- include: session authorize message_json render_message message_window
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    the caller's credential, see lib/authorize.lua
-- ARGV[5]    return only messages that changed after this seq; -1 for all
-- ARGV[6]    seq for which the reply is UNCHANGED; -1 for none
-- ARGV[7]    max messages
-- ARGV[8]    bytes of messages at which the reply ends; it has at least one message
-- ARGV[9]    1: reply LARGE instead
--
-- Replies:
--   SNAPSHOT now seq running_turn waiting created_at last_active_at expires_at has_more
--     name model system_prompt context metadata webhook_url message...   times in ms
--       Without ARGV[5], the oldest messages are left out. Otherwise the latest changes are, and
--       seq is that of the latest change that is not.
--   UNCHANGED seq
--   LARGE
--   SESSION_NOT_FOUND | SESSION_EXPIRED
read('schema', 'token_hash', 'expires_at', 'running_turn', 'waiting', 'head', 'tail',
  'first_message', 'created_at', 'last_active_at', 'name', 'model', 'system_prompt', 'context',
  'metadata', 'webhook_url', 'bytes', 'has_items', 'policy')
local err = authorize(ARGV[4])
if err then return { err } end
-- Clients do not see a prompt that the operator has set.
local is_hidden = ARGV[4] ~= '' and string.find(s.policy or '', '"system_prompt":"[^"]')
local after = tonumber(ARGV[5])
if after > seq then after = -1 end -- Redis has lost the events that the cursor counts
if seq == tonumber(ARGV[6]) then return { 'UNCHANGED', seq } end

local last = 2 * s.tail
local from = math.max(s.first_message, last - ARGV[7] + 1)
local messages, is_cut = {}, false
if after < seq then
  messages, from, is_cut = changed_messages(from, last, after, tonumber(ARGV[8]), ARGV[9] == '1')
  if is_cut and ARGV[9] == '1' then return { 'LARGE' } end
  if is_cut and after >= 0 then seq = latest_change(messages) end
end
local result = { 'SNAPSHOT', now, seq, s.running_turn, s.waiting, s.created_at,
  s.last_active_at, s.expires_at, from > s.first_message and 1 or 0, s.name, s.model,
  is_hidden and 'null' or s.system_prompt, s.context, s.metadata, s.webhook_url or 'null' }
for i = #messages, 1, -1 do result[#result + 1] = messages[i].json end
return result
