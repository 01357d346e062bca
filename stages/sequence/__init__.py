"""From feature stores to a decision a frame: inputs, runs, networks, their training.

``networks`` holds the architectures. Imports the rooms below; how runs are joined is in
`ensembles`.
"""
