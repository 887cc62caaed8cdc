#!lua
-- Create a session with a history of whole turns: a user message and its reply each.
-- include: session events search_index session_bytes create_session keep_alive message_json
-- include: files copy_files restore_turns
--
-- KEYS         see lib/session.lua; KEYS[22] see lib/copy_files.lua
-- ARGV[1-3]    see lib/session.lua
-- ARGV[4-24]   as in create
-- ARGV[25]     ids of files, see lib/copy_files.lua
-- ARGV[26...]  files and turns, see lib/restore_turns.lua
--
-- Replies:
--   CREATED created_at expires_at   ms
--   EXISTS created_at expires_at    the same call came before
--   IDEMPOTENCY_MISMATCH            another session has this id
--   SESSION_FILES_FULL
--   SESSION_NOT_FOUND               a file to copy is gone; so may be its session
s.file_bytes = copied_bytes(ARGV[25])
if not s.file_bytes then return { 'SESSION_NOT_FOUND' } end
if not has_room_for_files(26) then return { 'SESSION_FILES_FULL' } end
local existing = create_session()
if existing then return existing end

set('quota', ARGV[22])
copy_files(ARGV[25])
restore_turns(ARGV[9], 26)
keep_alive(true)
set_due(s.expires_at)
publish_seq()
return { 'CREATED', now, s.expires_at }
