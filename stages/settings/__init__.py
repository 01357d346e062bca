"""The settings in ``params.yaml``, section by section, and the terms of weights and data.

Imports `core` alone. A section is checked here before any work starts; what is done with it is not
known here.
"""
