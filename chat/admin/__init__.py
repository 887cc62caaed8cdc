"""Sessions and messages in Django's admin: models, query sets, pages and actions."""
