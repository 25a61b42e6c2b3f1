"""What all experiments share, written once."""
