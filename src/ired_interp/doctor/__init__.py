"""What is wrong with this machine, or with a run, and what to do about it."""
