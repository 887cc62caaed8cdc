-- The session's log: `log` appends an event under the next seq; `tell` saves the session and tells
-- its followers. Persist first, publish second.
local TOLD = 8192 -- most bytes of events that are told whole

local fresh = {} -- events that nobody was told of yet

-- members: further JSON members of the event, each led by a comma.
local function log(type, members)
  seq = seq + 1
  local event = '{"type":"' .. type .. '","seq":' .. seq .. ',"session_id":"' .. ID ..
    '","created_at":' .. seconds(now) .. members .. '}'
  redis.call('XADD', EVENTS, 'MAXLEN', '~', KEPT, seq .. '-0', 'event', event)
  fresh[#fresh + 1] = event
end

-- The channel bears the name of the log.
local function publish(news)
  set('seq', seq)
  save()
  redis.call('PUBLISH', EVENTS, news)
end

-- Who hears a bare seq has to read.
local function hint()
  publish(seq)
end

-- A few events are told whole, in the form that read_logs has: then nobody need read.
local function tell()
  local told = table.concat(fresh, '\n')
  if told == '' or #told > TOLD then return hint() end
  publish('EVENTS ' .. seq .. ' ' .. seq - #fresh + 1 .. '\n' .. told)
end
