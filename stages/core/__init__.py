"""What every room stands on: errors, files, workers, devices, the 12 AUs.

Also here: the settings that every room may read, terms of data, feature stores, and where artefacts
lie (:mod:`stages.core.paths`). Nothing of faces, networks or videos; imports no other room.
"""
