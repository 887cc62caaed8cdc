#!lua flags=allow-oom
-- Change fields of the session that its owner may change.
-- include: session access event life
--
-- ARGV[3] SHA-256 of the caller's token, or ''    ARGV[4] margin of key TTLs, seconds
-- ARGV[5] ttl, seconds, or '' to leave it         ARGV[6] the changed fields, JSON object
-- ARGV[7...] field, JSON text, ...: the same, as stored
--
-- UPDATED | GONE | EXPIRED
s = read('v', 'token', 'expires', 'turn', 'waiting', 'ttl', 'max_at')
local no = refused(s, ARGV[3])
if no then return { no } end
if #ARGV > 6 then redis.call('HSET', SESSION, unpack(ARGV, 7)) end
if ARGV[5] ~= '' then
  s.ttl = tonumber(ARGV[5])
  redis.call('HSET', SESSION, 'ttl', s.ttl)
end
keep_alive(ARGV[4])
if s.turn == 0 and s.waiting == 0 then due_at(s.expires) end
log('session.updated', ',"changes":' .. ARGV[6])
tell()
return { 'UPDATED' }
