"""Django admin: models and query sets over Redis, pages and actions."""
