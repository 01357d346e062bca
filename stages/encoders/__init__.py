"""The encoders: each turns a face crop, or a stretch of sound, into a feature vector.

Adding one is a file here with its description, and its line in :mod:`stages.encoders.registry`.
Imports the rooms below; how encoders are trained is in `pretraining`.
"""
