-- The sessions of users.
--
-- BY_USER  zset of score 0, read by ZRANGEBYLEX: "<digest of the user> <session>"

-- owner: of the session; nothing happens if it is no user.
local function add_to_user(owner)
  local digest = string.match(owner, '^user:(.*)$')
  if digest then redis.call('ZADD', BY_USER, 0, digest .. ' ' .. ID) end
end

local function remove_from_user()
  local digest = string.match(redis.call('HGET', SESSION, 'owner') or '', '^user:(.*)$')
  if digest then redis.call('ZREM', BY_USER, digest .. ' ' .. ID) end
end
