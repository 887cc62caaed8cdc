#!lua flags=allow-oom
-- Remove the session and every key of it.
-- include: session access reply facets removal outbox pending
--
-- ARGV[4] SHA-256 of the caller's token, or ''
--
-- DELETED | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting')
local no = refused(ARGV[4])
if no then return { no } end
forget_deliveries()
remove('session.deleted')
return { 'DELETED' }
