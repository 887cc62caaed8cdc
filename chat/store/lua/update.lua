#!lua flags=allow-oom
-- Change fields of the session that its owner may change.
-- include: session access event facets life
--
-- ARGV[4] SHA-256 of the caller's token, or ''
-- ARGV[5] ttl, seconds, or '' to leave it         ARGV[6] the changed fields, JSON object
-- ARGV[7] '=' and the new name, folded, or '' to leave it
-- ARGV[8...] field, JSON text, ...: the changed fields, as stored
--
-- UPDATED | GONE | EXPIRED
read('v', 'token', 'expires', 'turn', 'waiting', 'ttl', 'max_at', 'kept', 'model')
local no = refused(ARGV[4])
if no then return { no } end
for i = 8, #ARGV, 2 do set(ARGV[i], ARGV[i + 1]) end
local name = forget_facets()
name = string.match(ARGV[7], '^=(.*)$') or name
if name then note_facets(s.model, name) end
if ARGV[5] ~= '' then set('ttl', tonumber(ARGV[5])) end
log('session.updated', ',"changes":' .. ARGV[6])
keep_alive(true)
if s.turn == 0 and s.waiting == 0 then due_at(s.expires) end
tell()
return { 'UPDATED' }
