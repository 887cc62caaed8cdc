"""Runs all of Parley on one machine for `make run`: starts, watches, restarts and stops it.

It uses the standard library only and starts programs by their command lines, so the tests start
their servers with the same code. Only the command `run` imports Django.
"""
