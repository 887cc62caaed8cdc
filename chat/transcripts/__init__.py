"""Export and import of transcripts as JSON lines."""
