"""Search for sessions: what to find, the scans that find it, and the index that they read.

No index is ordered by status, model, name and opener, so a search scans all partitions, page by
page. Each page blocks Redis for a few ms; other commands run between two pages. Scripts maintain
the index with the sessions (`lua/lib/search_index.lua`, `search_fields.lua`, `labels.lua`);
`reindex` rebuilds it.
"""
