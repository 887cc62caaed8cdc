"""Redis, the source of truth. No other package imports redis.

Each atomic operation is one Lua script, which is called from one module.
"""
