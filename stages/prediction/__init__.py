"""AUs out of any video: predicting, and showing and comparing what was predicted."""
