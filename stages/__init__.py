"""AUFusion: facial action units for every frame of a video, as a DVC pipeline.

Each stage of ``dvc.yaml`` is one file of this package (``python -m stages.NAME``); what several
stages share lives in the other modules and sub-packages. A stage never imports another stage.
"""
