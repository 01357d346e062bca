"""What people do and say in a clip: affect, episodes, scripts, exact labels."""
