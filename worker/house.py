"""What tells the cells of one installation from those of another on the same machine."""

from hashlib import sha256

from leaderboard import competition, datasets, ledger


def house(db: ledger.Database, competition_id: str, *, split: str) -> str:
    """Eight hex digits that no other installation has: they hang on two random numbers of it."""
    return _digits(
        competition.secret(db, competition_id), datasets.hidden_name(db, competition_id, split)
    )


def chat_house(db: ledger.Database, competition_id: str) -> str:
    """The same for cells that belong to no split: that of the test set, if there is one."""
    secret = competition.secret(db, competition_id)
    names = {stored.role: stored.name for stored in datasets.listing(db, competition_id)}
    return _digits(secret, names.get("test", ""))


def _digits(secret: bytes, name: str) -> str:
    return sha256(secret + name.encode("ascii")).hexdigest()[:8]
