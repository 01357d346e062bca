"""What the package ``aufusion`` offers in Python: the commands, with tables in place of files."""
