"""Runs on a cluster with SLURM: submitted over ssh, watched, fetched, written down in a ledger."""
