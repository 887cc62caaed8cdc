-- Earlier messages, for the model. Needs `s` with first_message.

-- Statuses of replies that are part of the conversation.
local CONTEXT_STATUSES = { completed = true, incomplete = true, cancelled = true }
local MAX_STEP = 100 -- message numbers that are read at once
local TOKENS_PER_MESSAGE = 4 -- as in chat/conversation/context_window.py

-- Return the digits after a text, or nil. A pattern that is not anchored takes ten times as long.
local function digits_after(message, text)
  local last = select(2, string.find(message, text, 1, true))
  return last and string.match(message, '^%d+', last + 1)
end

-- Return the least tokens that a message may have in estimates, of 4 bytes each; 0 without a text.
-- Escapes have two characters for a byte of the text; those of control characters have six.
local function min_tokens(message)
  local first = select(2, string.find(message, '"content":"', 1, true))
  local length = string.find(message, '","id":"msg_', first, true) - first - 1
  if length == 0 then return 0 end
  return TOKENS_PER_MESSAGE + length / (string.find(message, '\\u00', first, true) and 24 or 8)
end

-- Return the number of the message that a reply answers, if it is part of the conversation. A completed
-- reply without attempt and text stands for none, to a message that a client has added.
local function answered_by(reply)
  local status, first = string.match(reply, '^{"seq":%d+,"status":"([%a_]+)","content":"(.)')
  if not CONTEXT_STATUSES[status] then return nil end
  local has_text = first ~= '"' or
    status == 'completed' and string.find(reply, ',"attempt":0,', 1, true)
  if not has_text then return nil end
  return digits_after(reply, '"reply_to":"msg_')
end

-- Return the user message `prompt` and messages before it, newest first, and whether there are more.
-- These suffice to choose `wanted` messages for the context, or as many as have `max_tokens`, but they
-- are among the last `max_numbers` message numbers.
-- Many turns may have failed or may be regenerated, so reading goes on in larger steps until enough
-- complete turns are found. Otherwise a model that failed for a while would lose its context.
local function read_history(prompt, wanted, max_tokens, max_numbers)
  local found, chosen, tokens = {}, 0, 0
  local last, step = prompt, math.min(wanted, MAX_STEP)
  local first = math.max(s.first_message, prompt - max_numbers + 1)
  local replies, replaced = {}, {} -- of each user message: tokens of the newest reply; is edited

  local function add(number, message)
    found[#found + 1] = message
    if number % 2 == 0 then
      local to = answered_by(message)
      if to and not replies[to] then replies[to] = min_tokens(message) end
      return
    end
    local key, edited = tostring(number), digits_after(message, '"replaces":"msg_')
    if edited then replaced[edited] = true end
    if not replies[key] or replaced[key] then return end
    chosen = chosen + (replies[key] > 0 and 2 or 1)
    tokens = tokens + replies[key] + min_tokens(message)
  end

  local function is_enough()
    return #found > 0 and (chosen + 2 >= wanted or tokens > max_tokens)
  end

  while last >= first and not is_enough() do
    local numbers = {}
    for number = last, math.max(first, last - step + 1), -1 do numbers[#numbers + 1] = number end
    for i, message in ipairs(redis.call('HMGET', MESSAGES, unpack(numbers))) do
      if message then add(numbers[i], message) end
      last = numbers[i] - 1
      if tokens > max_tokens then break end
    end
    step = math.min(2 * step, MAX_STEP)
  end
  return found, last >= s.first_message
end
