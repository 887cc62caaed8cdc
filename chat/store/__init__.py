"""Redis as Parley's truth: the only place that imports redis.

One atomic act is one Lua script and one function of the same name.
"""
