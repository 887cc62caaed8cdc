-- What was said before. Needs `s` with first.

local REPLIED = '^{"seq":%d+,"status":"completed","content":"[^"]'

-- The user message `prompt` and what precedes it, newest first: so much that `wanted` messages can
-- be chosen from it, at most `most` message numbers. Of the turns read many may have no text to
-- show, or several replies to one message, so it goes on, by larger steps, until there are enough
-- whole turns that are to be shown for sure: a model that failed for a while does not make it forget.
local function history(prompt, wanted, most)
  local found, whole, last, step = {}, 0, prompt, wanted
  local first = math.max(s.first, prompt - most + 1)
  local is_replied = false
  while last >= first and (#found == 0 or 2 * whole + 2 < wanted) do
    local numbers = {}
    for number = last, math.max(first, last - step + 1), -1 do
      numbers[#numbers + 1] = number
    end
    for i, message in ipairs(redis.call('HMGET', MESSAGES, unpack(numbers))) do
      if message then
        found[#found + 1] = message
        if numbers[i] % 2 == 1 and is_replied then whole = whole + 1 end
      end
      is_replied = message and numbers[i] % 2 == 0 and string.find(message, REPLIED) ~= nil
    end
    last, step = last - #numbers, 2 * step
  end
  return found
end
