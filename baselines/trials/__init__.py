"""Trials: a baseline trained and scored, each step a process of its own that is done once."""
