"""The OpenAI-compatible API, called by the SDKs that people use."""
