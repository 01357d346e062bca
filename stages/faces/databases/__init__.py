"""Labelled faces of the field's databases, from their folders as they are handed out to one CSV.

One file a database in `layouts`, called as the database is and found by that name. What is written
is what `data.faces` reads (:mod:`stages.faces.label_table`).
"""
