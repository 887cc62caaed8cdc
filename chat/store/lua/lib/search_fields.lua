-- What the search fields of a session say, see lib/search_index.lua.

-- Return whether the normalized name contains a text.
local function has_name(fields, text)
  local name_at = string.find(fields, '\n', 1, true) + 1
  local found = string.find(fields, text, name_at, true)
  return found ~= nil and found < (string.find(fields, '\n', name_at, true) or #fields + 1)
end

-- Return whether one of the openers is in one of the ranges "<first> <last> ...". All openers of a
-- range that has more than one are numbers with the same number of digits.
local function has_opener(fields, ranges)
  for opener in string.gmatch(string.match(fields, '\n.*\n(.*)$') or '', '%S+') do
    for first, last in string.gmatch(ranges, '(%S+) (%S+)') do
      if opener == first or (#opener == #first and opener > first and opener <= last) then
        return true
      end
    end
  end
  return false
end
