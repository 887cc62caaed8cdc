-- The keys of a session and of its partition: the fields of chat.store.keys.SessionKeys, in order. A
-- script gets only those that it uses, see chat/store/lua_source.py, or all of them if it has more.
local SESSION, MESSAGES, PARTIAL, LOG, EVENTS, IDEMPOTENCY, DUE, BY_ACTIVITY, COUNTS, WAITING, RUNNING,
  COUNTERS, LAST_HOUR, DELIVERIES, OUTBOX, SEARCH_FIELDS, SEARCH_INDEX, LABELS,
  RATINGS, FILES, WAITING_BY_PARTY = unpack(KEYS)
