"""Finding faces, following one of them, and cutting it out aligned."""
