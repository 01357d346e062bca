"""Results to look at: the overlay, the report, the timeline."""
