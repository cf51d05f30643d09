"""Labels that say they are mirror images, most often by left and right: a mirrored picture of one shows the other."""

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
    (("stânga", "stanga"), ("dreapta",)),  # Romanian
    (("vänster",), ("höger",)),
    (("venstre",), ("højre", "høyre")),
    (("vasen",), ("oikea",)),  # Finnish
    (("bal",), ("jobb",)),  # Hungarian
    (("sol",), ("sağ",)),  # Turkish
    (("kiri",), ("kanan",)),  # Indonesian
    (("trái",), ("phải",)),  # Vietnamese
    (("lew",), ("praw",)),  # Polish
    (("lev",), ("prav",)),  # Czech, Slovak, Croatian, Slovene
    (("лев", "лів"), ("прав",)),
    (("αριστερ",), ("δεξι",)),
    (("يسار",), ("يمين",)),
    (("שמאל",), ("ימין",)),
    (("左",), ("右",)),
    (("왼",), ("오른",)),
    (("counterclockwise", "counter clockwise", "anticlockwise", "anti clockwise"), ("clockwise",)),
    (("gegen den uhrzeigersinn",), ("im uhrzeigersinn",)),
)
#: Abbreviations for left and for right, which count only where they stand alone.
_ABBREVIATIONS: tuple[tuple[str, str], ...] = (
    ("lft", "rgt"),
    ("lhs", "rhs"),
    ("ltr", "rtl"),
    ("os", "od"),  # Latin for eyes
    ("izq", "der"),
    ("izda", "dcha"),
    ("esq", "dir"),
    ("sx", "dx"),
    ("ccw", "cw"),
)
#: Whole labels for signs that are mirror images. Small letters only: B is not the mirror image of D.
_SIGNS: tuple[tuple[str, str], ...] = (
    *(("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"), ("≤", "≥"), ("«", "»"), ("←", "→"), ("⇐", "⇒"), ("\\", "/")),
    *(("b", "d"), ("p", "q"), ("lt", "gt"), ("leq", "geq"), ("less", "greater")),
    *(("backslash", "slash"), ("backslash", "forward_slash")),
)
_SIDES = {word: (pair[0][0], side) for pair in _WORDS for side, words in enumerate(pair) for word in words}
_SIDES_ALONE = {word: (pair[0], side) for pair in _ABBREVIATIONS for side, word in enumerate(pair)}
_SIDE_WORD = re.compile("|".join(sorted(_SIDES, key=len, reverse=True)))
_SEPARATORS = re.compile(r"[\W_]+")
_WITHIN_CAMEL_CASE = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")
#: A letter with a number, two letters, or up to four capitals: L1, rv, LCC. The first letter may be a side.
_SHORT_FORM = re.compile(r"([A-Za-z])(\d{1,2}|[A-Za-z]|[A-Z]{2,3})")
#: l and r are sides if they are alone among the letters of their place, or with these: up, down, centre, middle,
#: front, back, straight and none. Beside others they are letters of an alphabet.
_LETTERS_OF_DIRECTIONS = frozenset("lrudcmfbsn")


class _Spelling(NamedTuple):
    """A label whose words for sides are replaced. sides: 0 for each left, 1 for each right, in their order."""

    rest: str
    sides: tuple[int, ...]


def opposite_sides(labels: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of labels that say they are mirror images, such as "turn-left" and "Turn right"; left comes first.

    No label is in two pairs. Capitals and separators don't count. A word for a side may be part of a longer word, as
    in "Linkskurve", since the rest must be the same in both labels. Signs such as "(" and ")" are known as well. To
    find a pair that is none costs a training little, and to miss one costs two classes, so what is doubtful is a pair.
    The time is proportional to the number of labels.
    """
    pairs = _pairs_of_signs(labels)
    of_signs = {label for pair in pairs for label in pair}
    labels = [label for label in labels if label not in of_signs]
    tokens = [_tokens(label) for label in labels]
    alphabets = _alphabets(tokens)
    alike: dict[str, dict[tuple[int, ...], str]] = defaultdict(dict)
    for label, words in zip(labels, tokens, strict=True):
        spelling = _spelling(words, letters_too=_place(words) not in alphabets)
        alike[spelling.rest].setdefault(spelling.sides, label)
    for label_of in alike.values():
        sides = sorted(label_of)
        # If both sides of each word are there, the first and the last are mirror images, then the second from each end.
        for first, last in zip(sides[: len(sides) // 2], reversed(sides), strict=False):
            pairs.append((label_of[first], label_of[last]))
    return pairs


def _pairs_of_signs(labels: Sequence[str]) -> list[tuple[str, str]]:
    label_of = {label.strip(): label for label in labels}
    pairs = []
    for left, right in _SIGNS:
        if left in label_of and right in label_of:
            pairs.append((label_of.pop(left), label_of.pop(right)))
    return pairs


def _tokens(label: str) -> tuple[str, ...]:
    """The words of a label in small letters. A short form is two of them."""
    words = _WITHIN_CAMEL_CASE.sub(" ", unicodedata.normalize("NFKC", label))
    tokens: list[str] = []
    for word in _SEPARATORS.sub(" ", words).split():
        short, token = _SHORT_FORM.fullmatch(word), word.casefold()
        if short is None or token in _SIDES_ALONE or _SIDE_WORD.search(token):
            tokens.append(token)
        else:
            first, further = short.group(1).casefold(), short.group(2).casefold()
            # "UL" is upper left, and may be two directions. The V of "LV" is none, and must not look like a letter.
            tokens += [first, further if further in _LETTERS_OF_DIRECTIONS else f"-{further}"]
    return tuple(tokens)


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

    def noted(pair: str, side: int) -> str:
        sides.append(side)
        return f"<{pair}>"

    def with_side_replaced(token: str) -> str:
        if letters_too and token in ("l", "r"):
            return noted("l", "lr".index(token))
        return noted(*_SIDES_ALONE[token]) if token in _SIDES_ALONE else token

    alone = " ".join(map(with_side_replaced, tokens))
    return _Spelling(_SIDE_WORD.sub(lambda word: noted(*_SIDES[word.group()]), alone), tuple(sides))
