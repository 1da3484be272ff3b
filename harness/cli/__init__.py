"""The `rostrum` command."""
