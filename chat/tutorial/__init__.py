"""The REST routes and the WebSocket of a tutorial's React client.

The tutorial is "Build a Fullstack AI Chatbot with Redis, FastAPI and GPT" (docs/tutorials.md).
"""
