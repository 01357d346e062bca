"""Reading video files: pictures and sound with their true presentation times."""
