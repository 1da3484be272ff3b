"""The seam between an evaluator and an agent in another process: frames over a Unix socket.

`client` stands outside, beside the labels; `serve` and `session` stand inside, beside the
submission, and are convenience only: whatever they send is checked again outside.
`docs/protocol.md` is the specification.
"""
