"""Periodic cells of any shape, and neighbours in them."""

from cgsim.geometry.periodic import minimum_image, unwrap_step, wrap

__all__ = ["minimum_image", "unwrap_step", "wrap"]
