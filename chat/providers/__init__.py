"""Code that speaks one model vendor's wire format, a module per format."""
