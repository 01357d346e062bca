"""Training of encoders: tasks, their examples, augmentation.

Imports the rooms below. Data of faces comes from a file of labelled faces, speech from a file of
utterances; neither is made here.
"""
