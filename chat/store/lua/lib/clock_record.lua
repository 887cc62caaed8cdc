-- The latest time that a worker has recorded, and a step of the clock that is being corrected.
-- include: clock
--
-- KEYS[1]    hash: facts that all processes share
--              clock              ms; recorded once a second
--              step, step_since   ms; see lib/shift.lua. They exist until stored times are corrected
--              step_lease_until   ms; until then the step is left to the worker that has it
local RECORD = KEYS[1]

-- Let the caller correct a step for `lease` ms.
local function lease_step(step, since, lease)
  redis.call('HSET', RECORD, 'step', step, 'step_since', since, 'step_lease_until', now + lease)
  return { 'STEPPED', now, step, since }
end

-- Record a step. The time before it counts no longer.
local function begin_step(step, since, lease)
  redis.call('HSET', RECORD, 'clock', now)
  return lease_step(step, since, lease)
end
