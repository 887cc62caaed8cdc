#!lua
-- Create a session.
-- include: session search_index session_bytes create_session keep_alive
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    SHA-256 of the token, hex
-- ARGV[5]    TTL, seconds
-- ARGV[6]    max age, seconds
-- ARGV[7]    name, JSON string
-- ARGV[8]    system prompt, JSON string or null
-- ARGV[9]    model, JSON string
-- ARGV[10]   context, JSON object
-- ARGV[11]   metadata, JSON object
-- ARGV[12]   webhook URL, JSON string or null
-- ARGV[13]   normalized name
-- ARGV[14]   tenant, or ''
-- ARGV[15]   user, or ''
-- ARGV[16]   id of the API key, or ''
-- ARGV[17]   the client's addresses, or '' for Parley itself
-- ARGV[18]   holders of quotas, or '' for Parley itself; see chat/store/quota.py
-- ARGV[19]   owner
-- ARGV[20]   party
-- ARGV[21]   policy of the API key, JSON, or ''
-- ARGV[22]   bytes that are reserved for the session in these quotas, or 0 for no limit
-- ARGV[23]   openers, see lib/search_index.lua
-- ARGV[24]   1 if the list of the user's sessions leaves it out, or ''
--
-- Replies:
--   CREATED created_at expires_at   ms
--   EXISTS created_at expires_at    the same call came before
--   IDEMPOTENCY_MISMATCH            another session has this id
local existing = create_session()
if existing then return existing end
set('quota', ARGV[22])
keep_alive(true)
save()
set_due(s.expires_at)
return { 'CREATED', now, s.expires_at }
