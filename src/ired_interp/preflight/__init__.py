"""What would stop a run, found on the laptop in a clean clone of the commit."""
