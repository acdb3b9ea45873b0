"""Rollouts: draw, refine, watch, repeat."""
