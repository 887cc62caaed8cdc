"""Outgoing HTTP: connections, cancellation, the SSRF guard, SSE parsing."""
