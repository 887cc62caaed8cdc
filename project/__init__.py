"""The Django project that serves Parley: settings, routes and the ASGI entry point."""
