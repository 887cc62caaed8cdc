#!lua
-- Create a session with a history of whole turns: a user message and its reply each.
-- include: session events search_index session_bytes create_session keep_alive message_json
-- include: files restore_turns
--
-- KEYS         see lib/session.lua
-- ARGV[1-3]    see lib/session.lua
-- ARGV[4-23]   as in create
-- ARGV[24...]  files and turns, see lib/restore_turns.lua
--
-- Replies:
--   CREATED created_at expires_at   ms
--   EXISTS created_at expires_at    the same call came before
--   IDEMPOTENCY_MISMATCH            another session has this id
--   SESSION_FILES_FULL
s.file_bytes = 0
if not has_room_for_files(24) then return { 'SESSION_FILES_FULL' } end
local existing = create_session()
if existing then return existing end

set('quota', ARGV[22])
restore_turns(ARGV[9], 24)
keep_alive(true)
set_due(s.expires_at)
publish_seq()
return { 'CREATED', now, s.expires_at }
