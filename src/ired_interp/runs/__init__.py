"""Runs: folders that hold a plan, its shards and its results."""
