"""Action units of any video: one row a frame, in one pass with bounded memory.

:func:`stages.prediction.predict.predict_file` does it, :mod:`stages.prediction.results` reads what
it wrote, :mod:`stages.cli` is the command line around both.
"""
