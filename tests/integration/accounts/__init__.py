"""Tests of who a client is, with real servers."""
