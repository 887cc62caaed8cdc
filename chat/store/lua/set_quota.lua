#!lua flags=allow-oom
-- Let a session store as many bytes as have been reserved for it.
-- include: session
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    bytes
--
-- Replies:
--   SET | SESSION_NOT_FOUND
read('schema')
if not s.schema then return { 'SESSION_NOT_FOUND' } end
set('quota', ARGV[4])
save()
return { 'SET' }
