"""Webhook signing, delivery and the outbox."""
