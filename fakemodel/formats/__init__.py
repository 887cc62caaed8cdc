"""The wire formats, a module each: a body in, bytes out."""
