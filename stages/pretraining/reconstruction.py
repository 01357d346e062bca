"""Masked reconstruction: see a quarter of a face's patches, draw the others.

References
----------
K. He et al. Masked autoencoders are scalable vision learners. CVPR 2022.
"""

from typing import Any

import torch
from torch import Tensor, nn

PATCH_EPSILON = 1e-6


def patches_of(images: Tensor, grid: int) -> Tensor:
    """Cut pictures into patches.

    Parameters
    ----------
    images : (n, 3, side, side) torch.Tensor
    grid : int
        Patches in a row of a picture.

    Returns
    -------
    (n, grid * grid, patch * patch * 3) torch.Tensor
        Row by row, the channel last.
    """
    n, channels, side, _ = images.shape
    patch = side // grid
    cells = images.reshape(n, channels, grid, patch, grid, patch)
    return cells.permute(0, 2, 4, 3, 5, 1).reshape(n, grid * grid, patch * patch * channels)


class MaskedAutoEncoder(nn.Module):
    """A vision transformer and the small decoder that teaches it; the decoder is thrown away.

    Parameters
    ----------
    transformer : timm.models.VisionTransformer
        The encoder.
    side : int
        Of its pictures in pixels.
    width, layers, heads : int
        Of the decoder.
    hidden : float
        Share of the patches that are hidden.
    """

    def __init__(
        self, transformer: Any, side: int, *, width: int, layers: int, heads: int, hidden: float
    ) -> None:
        from timm.layers import build_sincos2d_pos_embed
        from timm.models.vision_transformer import Block

        super().__init__()
        self.transformer: Any = transformer
        self.count = int(transformer.patch_embed.num_patches)
        self.grid = round(self.count**0.5)
        self.seen = max(1, int(self.count * (1 - hidden)))
        self.patch = side // self.grid
        self.decoder_embed = nn.Linear(transformer.embed_dim, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        nn.init.normal_(self.mask_token, std=0.02)
        positions = build_sincos2d_pos_embed([self.grid, self.grid], width)
        self.decoder_pos_embed: Tensor
        self.register_buffer("decoder_pos_embed", positions[None])
        self.decoder_blocks = nn.Sequential(
            *[Block(width, heads, qkv_bias=True) for _ in range(layers)]
        )
        self.decoder_norm = nn.LayerNorm(width)
        self.decoder_pred = nn.Linear(width, self.patch**2 * 3)

    def encode(self, images: Tensor, shown: Tensor) -> Tensor:
        """Encode the shown patches, (n, seen) numbers; (n, prefix + seen, width of the encoder)."""
        network = self.transformer
        hidden = torch.ones(len(images), self.count, device=images.device, dtype=torch.bool)
        hidden.scatter_(1, shown, False)
        cells = hidden.view(-1, 1, self.grid, self.grid)
        cover = cells.repeat_interleave(self.patch, 2).repeat_interleave(self.patch, 3)
        # a convolution would see across the border of a patch
        tokens = network.patch_embed(images.masked_fill(cover, 0.0))
        prefix = network.num_prefix_tokens
        tokens = tokens + network.pos_embed[:, prefix:]
        tokens = tokens.gather(1, shown[..., None].expand(-1, -1, tokens.shape[-1]))
        if prefix:
            first = network.cls_token + network.pos_embed[:, :1]
            tokens = torch.cat([first.expand(len(images), -1, -1), tokens], 1)
        result: Tensor = network.norm(network.blocks(network.norm_pre(tokens)))
        return result

    def forward(self, images: Tensor, order: Tensor) -> Tensor:
        """Return the loss.

        Parameters
        ----------
        images : (n, 3, side, side) torch.Tensor
        order : (n, patches) torch.Tensor
            The patches of each picture in random order; the first of them are shown.

        Returns
        -------
        () torch.Tensor
            Mean squared error over the hidden patches, each with its pixels' mean taken off and
            divided by their deviation: who draws a patch in its mean colour has about 1.
        """
        shown = order[:, : self.seen]
        tokens = self.decoder_embed(self.encode(images, shown))
        prefix = self.transformer.num_prefix_tokens
        first, tokens = tokens[:, :prefix], tokens[:, prefix:]
        every = self.mask_token.to(tokens.dtype).repeat(len(images), self.count, 1)
        every = every.scatter(1, shown[..., None].expand_as(tokens), tokens)
        every = torch.cat([first, every + self.decoder_pos_embed], 1)
        every = self.decoder_blocks(every)[:, prefix:]
        drawn = self.decoder_pred(self.decoder_norm(every)).float()
        target = patches_of(images, self.grid)
        mean, variance = target.mean(-1, keepdim=True), target.var(-1, keepdim=True)
        target = (target - mean) / (variance + PATCH_EPSILON).sqrt()
        error = (drawn - target).square().mean(-1)
        value: Tensor = error.gather(1, order[:, self.seen :]).mean()
        return value


def random_order(count: int, patches: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw an order of the patches for each of so many pictures, (count, patches)."""
    return torch.rand(count, patches, generator=generator).argsort(1)
