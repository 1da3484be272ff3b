"""The track file raises."""

raise RuntimeError("the weights are missing")
