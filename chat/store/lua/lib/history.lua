-- Earlier messages, for the model. Needs `s` with first_message.

local COMPLETED_WITH_TEXT = '^{"seq":%d+,"status":"completed","content":"[^"]'

-- Return the user message `prompt` and the messages before it, newest first: enough to choose
-- `wanted` messages for the context, but at most `max_numbers` message numbers.
-- Many turns may have failed or may be regenerated, so reading goes on in larger steps until enough
-- complete turns are found. Otherwise a model that failed for a while would lose its context.
local function read_history(prompt, wanted, max_numbers)
  local found, whole, last, step = {}, 0, prompt, wanted
  local first = math.max(s.first_message, prompt - max_numbers + 1)
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
      is_replied = message and numbers[i] % 2 == 0 and
        string.find(message, COMPLETED_WITH_TEXT) ~= nil
    end
    last, step = last - #numbers, 2 * step
  end
  return found
end
