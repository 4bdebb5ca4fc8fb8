"""A resolver whose answers a test writes: one list of addresses for each time a name is asked for."""

from collections import defaultdict, deque


class FakeResolver:
    """Answers from a script; the last answer of a name is repeated."""

    def __init__(self, **names: list[list[str]]) -> None:
        """Know the names; underscores in a keyword stand for dots."""
        self._answers = {name.replace("_", "."): deque(answers) for name, answers in names.items()}
        self.asked: defaultdict[str, int] = defaultdict(int)

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the next answer for `host`; an unknown name raises OSError as the system's resolver does."""
        self.asked[host] += 1
        answers = self._answers.get(host)
        if answers is None:
            raise OSError(f"{host} is not known")
        return answers.popleft() if len(answers) > 1 else answers[0]

    async def close(self) -> None:
        """Hold nothing, so let go of nothing."""
