"""Small pieces that PyTorch baselines share: words as numbers, a training loop, checkpoints.

Nothing else in `harness` imports torch; these modules are imported by name where they are used.
"""
