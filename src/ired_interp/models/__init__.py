"""Models: checkpoints, names and training folders."""
