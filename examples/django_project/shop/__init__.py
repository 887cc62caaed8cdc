"""A small Django project whose users chat with Parley (docs/django.md)."""
