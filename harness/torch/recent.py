"""What an agent keeps between calls: bounded, and never needed for an answer to be right."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from harness.dialogue import Context

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """At most `size` values by key; the one that was used longest ago is forgotten first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Value | None:
        """The value, now the latest used, or None."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: Key, value: Value) -> None:
        """Remember the value as the latest used."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self.size:
            self._values.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()


class ByContext(Generic[Value]):
    """At most `size` values by a context's id; an id that returns with another talk is new."""

    def __init__(self, size: int) -> None:
        self._recent: Recent[str, tuple[Context, Value]] = Recent(size)

    def __len__(self) -> int:
        return len(self._recent)

    def get(self, context: Context) -> Value | None:
        """What was kept for exactly this context, or None."""
        found = self._recent.get(context.id)
        return found[1] if found is not None and found[0] == context else None

    def put(self, context: Context, value: Value) -> None:
        """Keep a value for this context, in place of an earlier one of the same id."""
        self._recent.put(context.id, (context, value))

    def or_make(self, context: Context, make: Callable[[Context], Value]) -> Value:
        """What was kept, else what `make` makes of the context, which is then kept."""
        found = self.get(context)
        if found is None:
            found = make(context)
            self.put(context, found)
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._recent.clear()
