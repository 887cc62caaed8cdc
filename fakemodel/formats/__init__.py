"""The wire formats, one module each: a request body is parsed, a reply is rendered."""
