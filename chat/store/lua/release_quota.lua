#!lua flags=allow-oom
-- Release what sessions that have ended had reserved in quotas.
-- include: clock quota
--
-- KEYS       see lib/quota.lua
-- ARGV[1]    release only reservations that are at least this old, ms
-- ARGV[2...] session ids
--
-- Replies: OK
for _, key in ipairs(KEYS) do
  for i = 2, #ARGV do release(key, ARGV[i], tonumber(ARGV[1])) end
  delete_if_empty(key)
end
return { 'OK' }
