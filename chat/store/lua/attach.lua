#!lua
-- Attach to the first of equal requests, or be the first.
--
-- KEYS[1]  see keys.repeated_request
-- ARGV[1]  id of this request
-- ARGV[2]  1 if the client says that it repeats a request, else 0
-- ARGV[3]  TTL, ms
--
-- Replies: id of the first request
--
-- A repeated request may arrive before the first one. Then that one attaches to it.
local first, is_early = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) %S+ (%d)$')
if not first or ARGV[2] == '0' and is_early == '0' then
  first, is_early = ARGV[1], ARGV[2]
elseif ARGV[2] == '0' then
  is_early = '0'
end
redis.call('SET', KEYS[1], first .. ' ' .. ARGV[1] .. ' ' .. is_early, 'PX', ARGV[3])
return first
