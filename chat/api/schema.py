"""What the OpenAPI schema says about the calls."""

from drf_spectacular.openapi import AutoSchema


class Documented(AutoSchema):
    """Reads the schema off a view."""
