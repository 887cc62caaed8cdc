"""Sessions, messages and turns: the functions that every interface calls."""
