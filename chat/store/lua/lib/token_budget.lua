-- The token budget of a session: max tokens per window of an hour, which starts with the first of
-- them. Needs `s` with tokens_used, budget_resets_at.
local BUDGET_WINDOW = 3600000 -- ms

-- A window that ends later than a whole one from now belongs to a clock that has stepped back.
local function is_window_over()
  return s.budget_resets_at <= now or s.budget_resets_at > now + BUDGET_WINDOW
end

-- Add the tokens of an attempt; 0 if the session has no budget.
local function use_tokens(tokens)
  if tokens == 0 then return end
  if is_window_over() then
    s.tokens_used = 0
    set('budget_resets_at', now + BUDGET_WINDOW)
  end
  set('tokens_used', s.tokens_used + tokens)
end

-- Record what an attempt has used, for a worker that settles its reservation; see lib/budgets.lua.
-- usage: "<prompt> <completion> <cached>", or '' if it is not known.
local function record_charge(nonce, usage)
  set('charged_nonce', nonce)
  set('charged_usage', usage)
end

-- Estimate the tokens of the running attempt, because its worker will not report them. Without any
-- text the model may not have been called, so the attempt counts towards the session's budget only,
-- not in the metrics. Needs message_json.lua, token_usage.lua, and `s` with running_turn, nonce,
-- partial_bytes, prompt_tokens.
-- has_budget: '1' if sessions have a token budget, else '0'.
local function count_unfinished_attempt(has_budget)
  local has_text = s.partial_bytes > 0
  if has_text or has_budget ~= '0' then
    local prompt, completion = s.prompt_tokens, math.ceil(s.partial_bytes / 4)
    if not has_text or prompt == 0 then
      local message = parse_open_reply(redis.call('HGET', MESSAGES, 2 * s.running_turn)).prompt
      prompt = math.ceil(redis.call('HSTRLEN', MESSAGES, message) / 4)
    end
    if has_text then attempt_usage = prompt .. ' ' .. completion .. ' 0' end
    if has_budget ~= '0' then use_tokens(prompt + completion) end
  end
  record_charge(s.nonce, attempt_usage)
end

-- Return ms until the budget is renewed, or 0 while it is not exceeded.
-- max_tokens: per hour, 0 for no limit.
local function over_budget_ms(max_tokens)
  if max_tokens == 0 or s.tokens_used < max_tokens or is_window_over() then return 0 end
  return s.budget_resets_at - now
end
