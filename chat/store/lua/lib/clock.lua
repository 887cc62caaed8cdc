-- The time by Redis's clock, which may step in both directions: docs/redis.md.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) -- ms since the epoch
