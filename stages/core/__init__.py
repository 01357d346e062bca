"""What every stage stands on: messages, errors, paths, hashes, and work over many videos."""
