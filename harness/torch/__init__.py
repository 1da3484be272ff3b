"""The torch family: agents of a model that reads batches of ids, their training, their checkpoints.

`harness.torch.agent`, `ranker` and `generator` hold the agents, `docs/torch.md` says how to write
one. Nothing else in `harness` imports torch; these modules are imported by name.
"""
