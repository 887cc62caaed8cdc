#!lua flags=allow-oom
-- Remove the session and every key of it.
-- include: session access life
--
-- ARGV[4] SHA-256 of the caller's token, or ''
--
-- DELETED | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting')
local no = refused(ARGV[4])
if no then return { no } end
remove('session.deleted')
return { 'DELETED' }
