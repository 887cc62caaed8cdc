"""Who is asking: client addresses."""
