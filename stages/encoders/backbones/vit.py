"""`vit`: the vision transformer ViT-B/16, read out by its class token.

References
----------
See :mod:`stages.encoders.vision_transformer`.
"""

from functools import partial

from stages.encoders import vision_transformer
from stages.encoders.base import VisualEncoder
from stages.encoders.source import Source

ENCODER = VisualEncoder(
    name="vit",
    build=partial(vision_transformer.build, pool="token"),
    scales={"small": vision_transformer.STEM, "full": vision_transformer.PUBLISHED},
    published=vision_transformer.published,
    source="https://huggingface.co/google/vit-base-patch16-224-in21k",
    licence="Apache-2.0",
    origin=Source(
        kind="huggingface",
        name="google/vit-base-patch16-224-in21k",
        file="model.safetensors",
        revision="b4569560a39a0f1af58e3ddaf17facf20ab919b0",
        sha256="fd4e1169c7aa6c2dbfa8a6448be13b35abc0ee256190857c90009d12c094619b",
        megabytes=346,
    ),
    model_type="vit",
    configuration=vision_transformer.configuration,
    replicas=2,
    resolution=224,
    mean=(127.5, 127.5, 127.5),
    deviation=(127.5, 127.5, 127.5),
)
