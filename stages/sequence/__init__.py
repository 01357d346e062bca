"""From feature stores to a decision a frame: inputs, runs, their training.

Imports the rooms below; how runs are joined is in `ensembles`.
"""
