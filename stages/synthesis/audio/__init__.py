"""Speech and everything else that is heard."""
