"""Client identity: addresses."""
