-- Labels of sessions, for the admin's filters, and the ratings of replies, for its page of feedback.
--
-- LABELS   zset of score 0, read by ZRANGEBYLEX: "<label> <session>". Labels: `failed:<code>`, of the
--          reply that failed last, `rated:down`, and the openers of lib/search_index.lua
-- RATINGS  zset: "<session> <reply> <rating>" -> ms at which the reply was rated
-- Fields of the session: errors (replies that failed), error_code (of the last one),
-- ratings ("<reply> <rating>\n" of each reply, the latest last)
local MAX_RATINGS = 200 -- of a session; older ones are not listed

local function add_label(label)
  redis.call('ZADD', LABELS, 0, label .. ' ' .. ID)
end

local function remove_label(label)
  redis.call('ZREM', LABELS, label .. ' ' .. ID)
end

local function label_failure(code)
  local old = redis.call('HGET', SESSION, 'error_code')
  if old and old ~= code then remove_label('failed:' .. old) end
  redis.call('HSET', SESSION, 'error_code', code)
  redis.call('HINCRBY', SESSION, 'errors', 1)
  add_label('failed:' .. code)
end

-- rating: up or down, or nil if it was removed.
local function label_rating(reply, rating)
  local kept = {}
  for number, old in string.gmatch(redis.call('HGET', SESSION, 'ratings') or '', '(%d+) (%a+)\n') do
    if number == reply then
      redis.call('ZREM', RATINGS, ID .. ' ' .. number .. ' ' .. old)
    else
      kept[#kept + 1] = number .. ' ' .. old
    end
  end
  if rating then
    kept[#kept + 1] = reply .. ' ' .. rating
    redis.call('ZADD', RATINGS, now, ID .. ' ' .. kept[#kept])
  end
  if #kept > MAX_RATINGS then redis.call('ZREM', RATINGS, ID .. ' ' .. table.remove(kept, 1)) end
  local ratings = kept[1] and table.concat(kept, '\n') .. '\n' or ''
  redis.call('HSET', SESSION, 'ratings', ratings)
  local label = string.find(ratings, ' down\n', 1, true) and add_label or remove_label
  label('rated:down')
end

-- Remove the labels and ratings of a session whose replies are removed.
local function clear_labels()
  local code, ratings = unpack(redis.call('HMGET', SESSION, 'error_code', 'ratings'))
  if code then remove_label('failed:' .. code) end
  if ratings then remove_label('rated:down') end
  for rating in string.gmatch(ratings or '', '[^\n]+') do
    redis.call('ZREM', RATINGS, ID .. ' ' .. rating)
  end
  if code or ratings then redis.call('HDEL', SESSION, 'error_code', 'errors', 'ratings') end
end

-- The same for a session whose fields are gone: reads all such labels and ratings of the partition.
local function forget_labels()
  for _, kind in ipairs({ 'failed', 'rated' }) do
    local members = redis.call('ZRANGEBYLEX', LABELS, '[' .. kind .. ':', '(' .. kind .. ';')
    for _, member in ipairs(members) do
      if string.sub(member, -#ID - 1) == ' ' .. ID then redis.call('ZREM', LABELS, member) end
    end
  end
  for _, member in ipairs(redis.call('ZRANGE', RATINGS, 0, -1)) do
    if string.sub(member, 1, #ID + 1) == ID .. ' ' then redis.call('ZREM', RATINGS, member) end
  end
end
