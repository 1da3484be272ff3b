"""Baselines: submission folders that a team can start from, and the commands that train them."""
