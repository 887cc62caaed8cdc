"""The REST calls, a module per noun: translate in, one call of a service, translate out."""
