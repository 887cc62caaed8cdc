"""A fake model server for development and tests: real HTTP, all wire formats, faults on request.

It imports neither Django nor the rest of Parley, so it starts quickly and tests can run it as a
separate process: `python -m fakemodel --port 8090`.
"""
