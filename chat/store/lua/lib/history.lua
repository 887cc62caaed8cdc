-- What was said before. Needs `s` with first.

-- The user message `prompt` and what precedes it, newest first: as many turns as `wanted` messages
-- could ever be chosen from, at most `most` message numbers. Of the turns read many may have no
-- text to show, or several replies to one message, so it counts messages of the user.
local function history(prompt, wanted, most)
  local found, asked, last = {}, 0, prompt
  local first = math.max(s.first, prompt - most + 1)
  while last >= first and asked < wanted do
    local numbers = {}
    for number = last, math.max(first, last - 2 * wanted + 1), -1 do
      numbers[#numbers + 1] = number
    end
    for i, message in ipairs(redis.call('HMGET', MESSAGES, unpack(numbers))) do
      if message then
        found[#found + 1] = message
        asked = asked + numbers[i] % 2
      end
    end
    last = last - #numbers
  end
  return found
end
