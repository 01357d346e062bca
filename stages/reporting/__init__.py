"""The report: what is known of each run, the paper's tables and claims, figures, and the page."""
