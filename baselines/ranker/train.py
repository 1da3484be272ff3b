"""Train the ranker: cross-entropy over the replies of a batch, by the recipe of its encoder."""

import argparse

from agent import RankerAgent
from mirror import both, tells_nothing
from recipes import RECIPES

from harness.cli.training import Run, main
from harness.torch.learning import examples
from harness.torch.pretrained import read_vectors
from harness.torch.vectors import learn_words


def add(parser: argparse.ArgumentParser) -> None:
    """The ranker's own options."""
    parser.add_argument(
        "--encoder", choices=RECIPES, default="bow", help="what reads texts (%(default)s)"
    )
    parser.add_argument(
        "--vectors", metavar="FILE", help="fastText or GloVe vectors of words, as text"
    )


def train(run: Run) -> None:
    """Learn from the training split, select by the validation split, write the checkpoint."""
    recipe = RECIPES[run.own.encoder]
    options = run.options(recipe.options)
    words = learn_words(run.train, options=options.text, minimum=2)
    agent = RankerAgent(words, options, device=run.device)
    agent.answer_from(run.train)
    if run.own.vectors is not None:
        vectors = read_vectors(run.own.vectors, words)
        agent.start_from(vectors)
        print(f"train: {vectors}")
    if recipe.plan is None:
        agent.count(run.train)
        run.keep(agent)
        return
    inline = options.ranking.candidates == "inline"  # which other sides have not
    talks = run.train if inline else both(run.train)
    observed = [one for one in examples(agent, talks) if not tells_nothing(one.context)]
    run.learn(agent, recipe.plan, train=observed)


if __name__ == "__main__":
    main(train, add=add)
