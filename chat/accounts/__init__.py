"""Who a client is: so far, the address that its rate limits count by.

API keys, users and budgets belong here, too: whatever identifies a client beyond the token of one
session.
"""
