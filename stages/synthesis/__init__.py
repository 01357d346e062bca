"""The generated corpus: people, what they do and say, and the videos that show it."""
