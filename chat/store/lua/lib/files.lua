-- Files of the session. Needs session_bytes.lua, and `s` with file_bytes.

-- Store a file that is not stored yet.
local function store_file(id, description, content)
  local size = #description + #content
  redis.call('HSET', FILES, id, content, id .. ':description', description)
  add_bytes(size)
  set('file_bytes', s.file_bytes + size)
end

-- Delete the files of a message's parts. Quotes inside JSON strings are escaped, so no text can match.
local function delete_files_of(message)
  local parts = string.match(message, '^{"seq":%d+,"status":"completed","parts":%[(.-)%],"content":"')
  for id in string.gmatch(parts or '', '"file_id":"(file_%x+)"') do
    local size = redis.call('HSTRLEN', FILES, id) + redis.call('HSTRLEN', FILES, id .. ':description')
    redis.call('HDEL', FILES, id, id .. ':description')
    add_bytes(-size)
    set('file_bytes', math.max(0, s.file_bytes - size))
  end
end
