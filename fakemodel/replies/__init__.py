"""The replies of the fake model."""
