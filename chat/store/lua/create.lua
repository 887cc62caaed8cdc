#!lua
-- Open a session.
-- include: session facets open life
--
-- ARGV[4] SHA-256 of the token, hex
-- ARGV[5] ttl, seconds           ARGV[6] greatest age, seconds
-- ARGV[7] name, JSON string      ARGV[8] system prompt, JSON string or null
-- ARGV[9] model, JSON string     ARGV[10] context, JSON object   ARGV[11] metadata, JSON object
-- ARGV[12] webhook, JSON string or null    ARGV[13] the name, folded
--
-- CREATED created expires (ms) | EXISTS created expires: the same call again | TAKEN
local known = open_session()
if known then return known end
keep_alive(true)
save()
due_at(s.expires)
return { 'CREATED', now, s.expires }
