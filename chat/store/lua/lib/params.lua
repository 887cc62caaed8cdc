-- Params of a turn: what a client's protocol shows of its request, as JSON that no script reads. They
-- are kept with the reply. Needs session_bytes.lua.

local function params_field(turn)
  return 2 * turn .. ':params'
end

local function set_params(turn, params)
  local field = params_field(turn)
  add_bytes(#params - redis.call('HSTRLEN', MESSAGES, field))
  redis.call('HSET', MESSAGES, field, params)
end

local function delete_params(turn)
  local field = params_field(turn)
  add_bytes(-redis.call('HSTRLEN', MESSAGES, field))
  redis.call('HDEL', MESSAGES, field)
end

-- Delete the reasoning of a reply, see lib/output.lua.
local function delete_items(number)
  local field = number .. ':items'
  add_bytes(-redis.call('HSTRLEN', MESSAGES, field))
  redis.call('HDEL', MESSAGES, field)
end
