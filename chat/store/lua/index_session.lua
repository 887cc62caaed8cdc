#!lua flags=allow-oom
-- Rebuild the search entry of a session, or remove it if the session is gone.
-- include: session search_index
--
-- KEYS       see lib/session.lua
-- ARGV[1-3]  see lib/session.lua
-- ARGV[4]    name, JSON string, as it was read
-- ARGV[5]    the same name, normalized
-- ARGV[6]    openers, see lib/search_index.lua
--
-- Replies:
--   INDEXED
--   STALE      the name has changed since it was read
--   SESSION_GONE
read('schema', 'name', 'model')
if not s.schema then
  unindex_session()
  return { 'SESSION_GONE' }
end
if s.name ~= ARGV[4] then return { 'STALE' } end
unindex_session()
index_session(s.model, ARGV[5], ARGV[6])
return { 'INDEXED' }
