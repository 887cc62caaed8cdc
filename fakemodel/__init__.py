"""The bundled model server: real HTTP in three wire formats, pleasant or ill-behaved as asked.

It imports nothing of Django and nothing of the rest of Parley, so that it starts in a moment and
tests can run it as a process of its own: `python -m fakemodel --port 8090`.
"""
