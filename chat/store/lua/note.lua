#!lua flags=allow-oom
-- Note again what the list searches a session by, or forget it when the session is gone.
-- include: session facets
--
-- ARGV[4] name, JSON string, as it was read    ARGV[5] the same, folded
--
-- NOTED | STALE: it has another name meanwhile | GONE
read('v', 'name', 'model')
if not s.v then
  forget_facets()
  return { 'GONE' }
end
if s.name ~= ARGV[4] then return { 'STALE' } end
forget_facets()
note_facets(s.model, ARGV[5])
return { 'NOTED' }
