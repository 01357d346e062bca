"""`aufusion evaluate`: how well AUs are found in labelled photos and videos, by any tool."""
