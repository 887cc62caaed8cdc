"""Real servers and workers for tests, started with the runner's own code."""
