"""What a run of the pipeline is worth: figures, tables, claims, plots, the page.

Reads what the stages left; nothing here changes a result. Imports the rooms below.
"""
