"""The Celery worker: bootstep, turn runner, retry policy, limiter, flusher, sweeper."""
