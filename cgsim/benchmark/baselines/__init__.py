"""Baselines: what one would do without the model, fitted to the training set only, with choices made on validation."""
