"""Video files and data roots: decoding, sound, annotations, the index.

A frame is known here by its number and its presentation time. Imports the rooms below; nothing
about faces in the picture.
"""
