"""Results that show themselves in a notebook.

What they show is made by the function that `registry.DISPLAYS` names for their class, and imported only when it is shown.
"""

from __future__ import annotations

from shardmill.registry import DISPLAYS, load


class Shown:
    """A base of results. To show one more: this base, a function from the result to HTML, and its row in the table."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """What a notebook shows below a cell that ends in this result."""
        html: str = load(DISPLAYS, "result", type(self).__name__)(self)
        return html
