"""The REST routes and the WebSocket of the tutorial's React client."""
