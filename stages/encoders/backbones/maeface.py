"""`maeface`: MAE-Face, a masked auto-encoder that learnt from faces; ViT-B/16, mean of its patches.

It is `mae` with other weights: the names of its tensors are those of facebookresearch/mae, with or
without the decoder, below the key ``model`` of its file. Its code has no normalisation of its own
and points to that of MAE, which is ImageNet's. No hash of the published file was found in public
records, so there is no pinned source: name the file in the setting ``weights``.

It is no encoder of the shipped settings; docs/encoders.md says how to add it.

References
----------
B. Ma et al. Facial action unit detection and intensity estimation from self-supervised
representation. IEEE Transactions on Affective Computing, 2024.
https://github.com/FuxiVirtualHuman/MAE-Face
"""

from functools import partial

from stages.encoders import vision_transformer
from stages.encoders.base import IMAGENET_DEVIATION, IMAGENET_MEAN, VisualEncoder

ENCODER = VisualEncoder(
    name="maeface",
    build=partial(vision_transformer.build, pool="avg"),
    scales=vision_transformer.AUTO_ENCODERS,
    published=vision_transformer.published,
    source="https://github.com/FuxiVirtualHuman/MAE-Face/releases, mae_face_pretrain_vit_base.pth",
    licence="MIT",
    replicas=2,
    resolution=224,
    mean=IMAGENET_MEAN,
    deviation=IMAGENET_DEVIATION,
)
