"""Benchmarks of Parley and of what a user could write instead."""
