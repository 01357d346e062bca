"""Sequence networks: features of a window of frames in, a logit per frame and AU out.

All share one shape of input and output (:class:`stages.networks.base.Network`); a new one is a file
here with an entry in its ``NETWORKS``, and its dimensions in :mod:`stages.networks.settings` and
``params.yaml``. Imports `core` and `learning`; what a network is fed with and how it is trained is
in `sequence`.
"""
