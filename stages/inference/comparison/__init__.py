"""Results of other tools: read, brought to our frames, compared."""
