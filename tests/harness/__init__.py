"""What tests stand on: real servers and workers, started with the supervisor's own code."""
