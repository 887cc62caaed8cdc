-- What a model sends: its text, and its reasoning between \1 and \2. Both are the inside of a JSON
-- string, so they contain no such characters.

-- Return the text without the reasoning.
local function text_of(output)
  if not string.find(output, '\1', 1, true) then return output end
  return (string.gsub(output, '\1[^\2]*\2', ''))
end

-- Return the reasoning with its places: the length of each text stands for the text. Nil if there is
-- no reasoning. The form: \2 length \1 reasoning, repeated; length and reasoning may be empty.
local function layout_of(output)
  if not string.find(output, '\1', 1, true) then return nil end
  local joined = string.gsub(output, '\2\1', '')
  return (string.gsub('\2' .. joined .. '\1', '\2([^\1]+)\1', function(text)
    return '\2' .. #text .. '\1'
  end))
end

-- Return the items of a reply, JSON objects separated by commas, from its layout and its text.
local function items_json(layout, text)
  local items, from = {}, 1
  local function add(type, piece)
    if piece == '' then return end
    items[#items + 1] = '{"type":"' .. type .. '","text":"' .. piece .. '"}'
  end
  for length, reasoning in string.gmatch(layout, '\2(%d*)\1([^\2]*)') do
    local to = from + (tonumber(length) or 0)
    add('text', string.sub(text, from, to - 1))
    add('reasoning', reasoning)
    from = to
  end
  return table.concat(items, ',')
end
