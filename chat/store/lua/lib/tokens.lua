-- Tokens that models read and wrote, for metrics. Needs tally.lua.

-- Tokens of the attempt that ends now, "<prompt> <completion>", for when its reply tells of none.
local took = ''

local function tally_tokens(model, prompt, completion)
  tally('tokens:prompt:' .. model, prompt)
  tally('tokens:completion:' .. model, completion)
end

local function tally_took(model)
  local prompt, completion = string.match(took, '^(%d+) (%d+)$')
  took = '' -- of one attempt, however many turns the script ends
  if prompt then tally_tokens(model, prompt, completion) end
end

-- ending: finish_reason, usage and error, as JSON members; what comes back tells of `took`.
local function told_of_took(ending)
  local prompt, completion = string.match(took, '^(%d+) (%d+)$')
  took = ''
  if not prompt then return ending end
  local usage = '{"prompt_tokens":' .. prompt .. ',"completion_tokens":' .. completion ..
    ',"source":"estimated","total_tokens":' .. prompt + completion .. '}'
  return (string.gsub(ending, '^("finish_reason":"[%a_]+","usage":)null', '%1' .. usage))
end

-- ending: the same members.
local function tally_usage(model, ending)
  local prompt, completion = string.match(ending,
    '^"finish_reason":"[%a_]+","usage":{"prompt_tokens":(%d+),"completion_tokens":(%d+)')
  if prompt then tally_tokens(model, prompt, completion) end
end
