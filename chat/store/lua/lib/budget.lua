-- A session's budget of tokens: so many in an hour, which begins with the first of them. Needs `s` with
-- spent, spent_until.
local BUDGET_SPAN = 3600000 -- ms

-- Count what an attempt took; 0 where nobody counts.
local function spend(tokens)
  if tokens == 0 then return end
  if s.spent_until <= now then
    s.spent = 0
    set('spent_until', now + BUDGET_SPAN)
  end
  set('spent', s.spent + tokens)
end

-- Count the running attempt, whose worker is not to tell what it took: the message that it answers and
-- what was said. Without a word of it nobody knows whether the model was asked, so it counts for the
-- budget alone. Needs reply.lua, tokens.lua, and `s` with turn, said.
local function spend_unfinished(counts)
  if counts == '0' and s.said == 0 then return end
  local prompt = open_reply(redis.call('HGET', MESSAGES, 2 * s.turn)).prompt
  local bytes = redis.call('HSTRLEN', MESSAGES, prompt)
  if counts ~= '0' then spend(math.ceil((s.said + bytes) / 4)) end
  if s.said > 0 then took = math.ceil(bytes / 4) .. ' ' .. math.ceil(s.said / 4) end
end

-- ms until the session may spend again, 0 when it may now. most: tokens an hour, 0 for any number
local function broke(most)
  if most == 0 or s.spent < most then return 0 end
  return math.max(0, s.spent_until - now)
end
