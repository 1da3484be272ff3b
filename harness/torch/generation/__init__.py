"""Generation: replies found by search or chance, and what a model thinks of given ones.

    options     SearchOptions, what is asked of a search (Task) and what it finds (Hypothesis)
    decoder     what a search needs of a model (Decoder), and models that have it
    search      a search by its options: stepwise (greedy, sampling) or beam
    rules       what may not be said next            sampling  how words are drawn
    graph       a beam drawn as DOT and SVG          forced    ln p of given replies
    columns     from the model's words to the official ones
    kept        decoders' states from one prefix to the next

`harness.torch.generator` makes an agent of these.
"""
