"""What every room stands on: errors, files, workers, devices, the 12 AUs.

Also here: reading and writing of feature stores, and where artefacts lie
(:mod:`stages.core.paths`). Nothing of faces, networks or videos; imports no other room.
"""
