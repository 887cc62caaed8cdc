"""What Parley adds to uvicorn, and its ASGI application."""
