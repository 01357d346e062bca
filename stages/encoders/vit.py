"""`vit`: the vision transformer ViT-B/16, read out by its class token.

References
----------
See :mod:`stages.encoders.vision_transformer`.
"""

from functools import partial

from stages.encoders import vision_transformer
from stages.encoders.base import VisualEncoder

ENCODER = VisualEncoder(
    name="vit",
    build=partial(vision_transformer.build, pool="token"),
    scales={"small": vision_transformer.STEM, "full": vision_transformer.PUBLISHED},
    published=vision_transformer.published,
    source="https://huggingface.co/google/vit-base-patch16-224-in21k",
    licence="Apache-2.0",
    resolution=224,
    mean=(127.5, 127.5, 127.5),
    deviation=(127.5, 127.5, 127.5),
)
