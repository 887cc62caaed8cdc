"""Health, statistics and deployment checks."""
