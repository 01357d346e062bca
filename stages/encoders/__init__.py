"""The encoders: each turns a face crop, or a stretch of sound, into a feature vector.

Adding one is a file in `backbones` with its description.
Imports the rooms below; how encoders are trained is in `pretraining`.
"""
