"""AUFusion: facial action units for every frame of a video, as a DVC pipeline.

A file of this folder is a command: a stage of ``dvc.yaml`` (``python -m stages.NAME``), an entry of
the Makefile, or ``aufusion`` itself. A folder is a room: what several commands share. Commands
import rooms and never another command; rooms import the rooms below them
(``tests/test_rooms.py`` has their order), never a command.
"""
