-- The session's log: `log` appends an event under the next seq; `tell` saves the session and says
-- that there is news. Persist first, publish second.

-- members: further JSON members of the event, each led by a comma.
local function log(type, members)
  seq = seq + 1
  redis.call('XADD', EVENTS, 'MAXLEN', '~', KEPT, seq .. '-0', 'event', '{"type":"' .. type ..
    '","seq":' .. seq .. ',"session_id":"' .. ID .. '","created_at":' .. seconds(now) ..
    members .. '}')
end

-- The channel bears the name of the log.
local function tell()
  set('seq', seq)
  save()
  redis.call('PUBLISH', EVENTS, seq)
end
