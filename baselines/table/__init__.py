"""`rostrum baselines`: every baseline trained, scored on a test file and shown in one table."""
