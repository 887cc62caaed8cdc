"""Redis, the source of truth. No other package imports redis.

Each atomic operation is one Lua script and one function of the same name.
"""
