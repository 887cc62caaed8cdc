"""Every way to misbehave, each a function that answers one exchange badly."""
