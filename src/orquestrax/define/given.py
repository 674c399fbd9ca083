"""Parameters that the node fills in: part of no schema and of no journal."""

from __future__ import annotations


class Given:
    """The default of such a parameter; its subclasses say what it stands for."""

    __slots__ = ()
