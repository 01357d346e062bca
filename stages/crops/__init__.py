"""Aligned face crops: how a face is laid upright, the crop file, its masked copies.

Imports the rooms below; how a face was found (`faces`) is not known here.
"""
