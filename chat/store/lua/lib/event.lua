-- The session's log: `log` appends an event under the next seq, `tell` says that there is news.
-- Needs `seq`, the last one given out. Persist first, publish second.
local seq = tonumber(redis.call('HGET', SESSION, 'seq') or 0)

-- members: further JSON members of the event, each led by a comma.
local function log(type, members)
  seq = seq + 1
  redis.call('XADD', EVENTS, 'MAXLEN', '~', KEPT, seq .. '-0', 'event', '{"type":"' .. type ..
    '","seq":' .. seq .. ',"session_id":"' .. ID .. '","created_at":' .. seconds(now) ..
    members .. '}')
end

-- The channel bears the name of the log.
local function tell()
  redis.call('HSET', SESSION, 'seq', seq)
  redis.call('PUBLISH', EVENTS, seq)
end
