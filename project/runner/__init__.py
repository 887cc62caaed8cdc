"""Runs all of Parley on one machine for `make run`: starts, watches, restarts and ends it.

It needs the standard library only and knows the programs by their command lines, so the tests
start their servers with the same code.
"""
