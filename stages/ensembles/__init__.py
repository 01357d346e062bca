"""Runs joined to ensembles: members, calibration, the exported folder.

Imports the rooms below; `inference` reads what is written here.
"""
