"""One file a database, called as it is and found by that name; `DATABASE` describes it."""
