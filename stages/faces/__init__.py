"""Finding and following faces: detectors, tracks, labelled faces of a CSV.

Imports the rooms below; a new detector is a file here and its name in
:mod:`stages.faces.detector`.
"""
