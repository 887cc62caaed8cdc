-- Files that a new session gets from another one in the same partition. Needs session_bytes.lua.
--
-- KEYS[22]  the files of the other session, see chat/store/keys.py
--
-- `ids`: of the files to copy, separated by spaces.
local SOURCE_FILES = KEYS[22]

-- Return the bytes of the files, or nil if one is gone.
local function copied_bytes(ids)
  local bytes = 0
  for id in string.gmatch(ids, '%S+') do
    local size = redis.call('HSTRLEN', SOURCE_FILES, id)
    if size == 0 then return nil end
    bytes = bytes + size + redis.call('HSTRLEN', SOURCE_FILES, id .. ':description')
  end
  return bytes
end

-- Copy the files. Their contents pass neither this script nor the append-only file.
local function copy_files(ids)
  if ids == '' then return end
  local bytes, wanted = copied_bytes(ids), {}
  for id in string.gmatch(ids, '%S+') do wanted[id], wanted[id .. ':description'] = true, true end
  redis.call('COPY', SOURCE_FILES, FILES)
  for _, name in ipairs(redis.call('HKEYS', FILES)) do
    if not wanted[name] then redis.call('HDEL', FILES, name) end
  end
  add_bytes(bytes)
  set('file_bytes', bytes)
end
