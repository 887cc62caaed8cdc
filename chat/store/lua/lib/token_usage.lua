-- Prompt and completion tokens, for the metrics. They are money, so they are counted at once, not by
-- the worker.

-- "<prompt> <completion> <cached>" of the attempt that ends now, if its result has no usage.
local attempt_usage = ''

-- cached: those of the prompt tokens that the vendor has read from its cache.
local function count_tokens(model, prompt, completion, cached)
  redis.call('HINCRBY', COUNTERS, 'tokens:prompt:' .. model, prompt)
  redis.call('HINCRBY', COUNTERS, 'tokens:completion:' .. model, completion)
  set('tokens', s.tokens + prompt + completion)
  if cached and cached ~= '0' then
    redis.call('HINCRBY', COUNTERS, 'tokens:cached:' .. model, cached)
  end
end

-- Count the tokens of an attempt whose result shows none, or whose turn goes on.
local function count_attempt_usage(model)
  local prompt, completion, cached = string.match(attempt_usage, '^(%d+) (%d+) (%d+)$')
  attempt_usage = '' -- the script may end further turns
  if prompt then count_tokens(model, prompt, completion, cached) end
end

-- Return the result with the usage of the attempt, if it has none and there is text.
-- result: finish_reason, usage and error, as JSON members.
local function with_usage(result)
  local prompt, completion, cached = string.match(attempt_usage, '^(%d+) (%d+) (%d+)$')
  if not prompt or completion == '0' then return result end
  local usage = '{"prompt_tokens":' .. prompt .. ',"completion_tokens":' .. completion ..
    ',"source":"estimated","total_tokens":' .. prompt + completion ..
    ',"cached_tokens":' .. cached .. ',"reasoning_tokens":0}'
  return (string.gsub(result, '^("finish_reason":"[%a_]+","usage":)null', '%1' .. usage))
end

-- Count the usage in a result, or else that of the attempt.
local function count_usage(model, result)
  local prompt, completion = string.match(result,
    '^"finish_reason":"[%a_]+","usage":{"prompt_tokens":(%d+),"completion_tokens":(%d+)')
  if not prompt then return count_attempt_usage(model) end
  attempt_usage = ''
  count_tokens(model, prompt, completion, string.match(result, '"cached_tokens":(%d+)'))
end
