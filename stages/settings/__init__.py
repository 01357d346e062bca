"""The settings of ``params.yaml``: their types, what is allowed, and what is said of the rest."""
