"""Labels that differ by left and right alone: for such classes, a mirrored picture shows the other class."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: Words for left and for right, or their stems, if the same endings follow in one language.
_WORDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("left",), ("right",)),
    (("link",), ("recht",)),  # German and Dutch
    (("gauche",), ("droite", "droit")),
    (("izquierd",), ("derech",)),
    (("sinistr",), ("destr",)),
    (("esquerd",), ("direit",)),
    (("vänster",), ("höger",)),
    (("venstre",), ("højre", "høyre")),
    (("lew",), ("praw",)),  # Polish
    (("лев",), ("прав",)),
    (("左",), ("右",)),
    (("왼",), ("오른",)),
)
_SIDES = {word: (pair[0][0], side) for pair in _WORDS for side, words in enumerate(pair) for word in words}
_SIDE_WORD = re.compile("|".join(sorted(_SIDES, key=len, reverse=True)))
_SEPARATORS = re.compile(r"[\W_]+")
_WITHIN_CAMEL_CASE = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")
#: l and r are sides if they are alone among the letters of their place, or with these: up, down, centre, middle,
#: front, back, straight and none. Beside others they are letters of an alphabet.
_LETTERS_OF_DIRECTIONS = frozenset("lrudcmfbsn")


class _Spelling(NamedTuple):
    """A label whose words for sides are replaced. sides: 0 for each left, 1 for each right, in their order."""

    rest: str
    sides: tuple[int, ...]


def opposite_sides(labels: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of labels that differ by left and right alone, such as "turn-left" and "Turn right"; left comes first.

    No label is in two pairs. Capitals and separators don't count. A word for a side may be part of a longer word, as
    in "Linkskurve", since the rest must be the same in both labels. The time is proportional to the number of labels.
    """
    tokens = [_tokens(label) for label in labels]
    alphabets = _alphabets(tokens)
    alike: dict[str, dict[tuple[int, ...], str]] = defaultdict(dict)
    for label, words in zip(labels, tokens, strict=True):
        spelling = _spelling(words, letters_too=_place(words) not in alphabets)
        alike[spelling.rest].setdefault(spelling.sides, label)
    pairs = []
    for label_of in alike.values():
        sides = sorted(label_of)
        # If both sides of each word are there, the first and the last are mirror images, then the second from each end.
        for first, last in zip(sides[: len(sides) // 2], reversed(sides), strict=False):
            pairs.append((label_of[first], label_of[last]))
    return pairs


def _tokens(label: str) -> tuple[str, ...]:
    words = _WITHIN_CAMEL_CASE.sub(" ", unicodedata.normalize("NFKC", label))
    return tuple(_SEPARATORS.sub(" ", words).casefold().split())


def _is_letter(token: str) -> bool:
    return len(token) == 1 and token.isalpha()


def _place(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """A label without its single letters."""
    return tuple("" if _is_letter(token) else token for token in tokens)


def _alphabets(labels: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """The places at which labels have letters that are no directions, as with "A" to "Z"."""
    return {
        _place(tokens)
        for tokens in labels
        if any(_is_letter(token) and token.isascii() and token not in _LETTERS_OF_DIRECTIONS for token in tokens)
    }


def _spelling(tokens: tuple[str, ...], letters_too: bool) -> _Spelling:
    sides: list[int] = []

    def replaced(word: re.Match[str]) -> str:
        pair, side = _SIDES[word.group()]
        sides.append(side)
        return f"<{pair}>"

    def with_sides_replaced(token: str) -> str:
        if letters_too and token in ("l", "r"):
            sides.append("lr".index(token))
            return "<l>"
        return _SIDE_WORD.sub(replaced, token)

    return _Spelling(" ".join(map(with_sides_replaced, tokens)), tuple(sides))
