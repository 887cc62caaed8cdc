"""What the dev model says."""
