"""The eight ways to lay a square picture. A segmenter trains on those in which its pictures still look like its set."""

from __future__ import annotations

from typing import Any

#: The number of a view is a sum of these: mirrored left to right, then upside down, then with its axes swapped.
MIRRORED, UPSIDE_DOWN, SWAPPED = 1, 2, 4
#: View 0 is the picture itself.
VIEWS = 8


def view_of(pixels: Any, view: int) -> Any:
    """A picture or mask (h, w, ...) with h = w, in that view (0 to VIEWS - 1). The shape stays the same."""
    if view & SWAPPED:
        pixels = pixels.swapaxes(0, 1)
    if view & MIRRORED:
        pixels = pixels[:, ::-1]
    if view & UPSIDE_DOWN:
        pixels = pixels[::-1]
    return pixels


def views_within(changes: int) -> tuple[int, ...]:
    """All views that need no other change than these. changes: a sum of MIRRORED, UPSIDE_DOWN and SWAPPED."""
    return tuple(view for view in range(VIEWS) if not view & ~changes)
