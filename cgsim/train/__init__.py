"""Training: windows of trajectories in, a model with its card out."""
