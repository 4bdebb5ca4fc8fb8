"""The routes of all dialects, found by path."""

from __future__ import annotations

from numdesk.dialects import is_parameter
from numdesk.dialects.door import Door


class Node:
    """The next possible segments of a path."""

    __slots__ = ("any", "doors", "named")

    def __init__(self) -> None:
        """Begin with no segments and no door."""
        self.named: dict[str, Node] = {}
        self.any: Node | None = None
        self.doors: dict[str, Door] | None = None


class Tree:
    """The routes by path: exact ones in a dictionary, templates segment by segment.

    A path without parameters wins.
    """

    def __init__(self) -> None:
        """Begin without routes."""
        self._exact: dict[str, dict[str, Door]] = {}
        self._root = Node()

    def add(self, path: str, method: str, door: Door) -> None:
        """Add a door for a method and a path."""
        segments = path.split("/")
        if not any(is_parameter(segment) for segment in segments):
            self._exact.setdefault(path, {})[method] = door
            return
        node = self._root
        for segment in segments:
            if is_parameter(segment):
                node.any = node.any or Node()
                node = node.any
            else:
                node = node.named.setdefault(segment, Node())
        node.doors = node.doors or {}
        node.doors[method] = door

    def find(self, path: str) -> tuple[dict[str, Door] | None, tuple[str, ...]]:
        """Return the doors of a path by method, and the values of its parameters.

        The doors are None for an unknown path.
        """
        doors = self._exact.get(path)
        if doors is not None:
            return doors, ()
        node = self._root
        params: tuple[str, ...] = ()
        for segment in path.split("/"):
            below = node.named.get(segment)
            if below is None:
                below = node.any
                if below is None or not segment:
                    return None, ()
                params = (*params, segment)
            node = below
        return node.doors, params
