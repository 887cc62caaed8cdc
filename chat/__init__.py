"""Parley's Django app: sessions, messages and the life of a turn, all kept in Redis."""
