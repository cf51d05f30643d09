"""The table of all kinds of files."""

from __future__ import annotations

from tests.chaos.flipped_bits import front_end_kinds, journal_kinds, project_kinds
from tests.chaos.flipped_bits.flipping import Kind

KINDS: tuple[Kind, ...] = (*journal_kinds.KINDS, *project_kinds.KINDS, *front_end_kinds.KINDS)
