"""Staff permissions and nothing else: no table of the app is managed."""
