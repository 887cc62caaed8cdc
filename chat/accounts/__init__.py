"""Who a client is: its address, or the principal that its API key or JWT names; and its limits.

`principals` answers for every interface.
"""
