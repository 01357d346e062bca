"""How networks are trained, whatever they learn: the loop, losses, metrics.

:func:`stages.learning.fit.fit` is the one loop; it goes on after a kill with the same bytes.
Imports `core`; knows neither encoders nor sequence networks.
"""
