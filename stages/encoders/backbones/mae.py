"""`mae`: the encoder of a masked auto-encoder, ViT-B/16, read out by the mean of its patches.

At full scale the tensors have the names of facebookresearch/mae, which MAE-Face has kept. While
it is pre-trained it sees a quarter of each picture: :mod:`stages.pretraining.reconstruction`.

References
----------
K. He et al. Masked autoencoders are scalable vision learners. CVPR 2022.
B. Ma et al. Facial action unit detection and intensity estimation from self-supervised
representation. IEEE Transactions on Affective Computing, 2024 (MAE-Face).
"""

from functools import partial

from stages.encoders import vision_transformer
from stages.encoders.base import IMAGENET_DEVIATION, IMAGENET_MEAN, VisualEncoder
from stages.encoders.source import Source

ENCODER = VisualEncoder(
    name="mae",
    build=partial(vision_transformer.build, pool="avg"),
    scales=vision_transformer.AUTO_ENCODERS,
    published=vision_transformer.published,
    source="https://huggingface.co/facebook/vit-mae-base",
    licence="Apache-2.0",
    origin=Source(
        kind="huggingface",
        name="facebook/vit-mae-base",
        file="model.safetensors",
        revision="25b184bea5538bf5c4c852c79d221195fdd2778d",
        sha256="479dcef4bd5df06259399027b789f21e9d9a1b79f37155a64176d55bc26fdae8",
        megabytes=448,
    ),
    model_type="vit_mae",
    configuration=vision_transformer.configuration,
    replicas=2,
    resolution=224,
    mean=IMAGENET_MEAN,
    deviation=IMAGENET_DEVIATION,
)
