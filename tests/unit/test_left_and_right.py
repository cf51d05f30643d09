"""Which labels say that they are mirror images."""

from __future__ import annotations

import string
import time
import unicodedata

import pytest

from trainer_worker.layouts.left_and_right import opposite_sides

PAIRS = [
    ("left", "right"),
    ("LEFT", "Right"),
    ("turn-left", "turn_right"),
    ("TurnLeft", "TurnRight"),
    ("turnleft", "turnright"),
    ("left hand", "right hand"),
    ("leftward", "rightward"),
    ("eye (left)", "eye (right)"),
    ("arrow_l", "arrow_r"),
    ("arrowL", "arrowR"),
    ("L", "R"),
    ("Hand links", "Hand rechts"),
    ("linke Hand", "rechte Hand"),
    ("Linkskurve", "Rechtskurve"),
    ("linkerhand", "rechterhand"),
    ("main gauche", "main droite"),
    ("pied_gauche", "pied_droit"),
    ("gauches", "droites"),
    ("mano izquierda", "mano derecha"),
    ("izquierdo", "derecho"),
    ("mano sinistra", "mano destra"),
    ("sinistro", "destro"),
    ("mão esquerda", "mão direita"),
    ("Esquerdo", "Direito"),
    ("vänster", "höger"),
    ("venstre", "høyre"),
    ("lewo", "prawo"),
    ("левый", "правый"),
    ("Левая рука", "правая рука"),
    ("налево", "направо"),
    ("左", "右"),
    ("左转", "右转"),
    ("왼쪽", "오른쪽"),
    ("copyleft", "copyright"),  # the sign of the one is the mirrored sign of the other
    ("left eye looks left", "left eye looks right"),
    ("vlevo", "vpravo"),
    ("ліва рука", "права рука"),
    ("SOL", "SAĞ"),
    ("يسار", "يمين"),
    ("שמאל", "ימין"),
    ("αριστερά", "δεξιά"),
    # Abbreviations. To miss one costs two classes, and to find one too many costs little.
    ("L1", "R1"),
    ("LV", "RV"),
    ("lv", "rv"),
    ("mammogram LCC", "mammogram RCC"),
    ("UL", "UR"),
    ("hand_lt", "hand_rt"),
    ("OS", "OD"),
    ("mano izq", "mano der"),
    # Mirror images by another name
    ("counterclockwise", "clockwise"),
    ("Turn counter-clockwise", "Turn clockwise"),
    ("ccw", "cw"),
    ("b", "d"),
    ("(", ")"),
    ("←", "→"),
    ("lt", "gt"),
]

NO_PAIRS = [
    [],
    [""],
    ["left"],
    ["left", "left"],
    ["left", "Left", "LEFT"],
    ["right", "wrong"],
    ["bright", "left"],
    ["bright", "dark"],
    ["copyright", "left"],
    ["left hand", "right foot"],
    ["left", "turn right"],
    ["left1", "right2"],
    ["left", "rechts"],
    ["large", "regular"],
    ["girl", "girr"],
    ["A1", "L1", "R1"],
    ["AU", "LU", "RU"],  # countries
    ["Lamp", "Ramp"],
    ["lace", "race"],
    ["B", "D"],
    ["clockwise", "counter"],
    ["720p", "1080p"],
    ["S", "M", "L", "XL"],
    ["I", "V", "X", "L", "C"],
    list(string.ascii_uppercase),
    [f"letter {letter}" for letter in string.ascii_lowercase],
    ["person", "bicycle", "car", "bus", "train", "truck", "boat", "cat", "dog", "left-luggage"],
    ["x l", "x r", "x q"],
    ["_", "-", "…"],
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
def test_labels_that_differ_by_side_alone_are_a_pair_left_first(pair: tuple[str, str]) -> None:
    left, right = pair
    assert opposite_sides([right, "cat", left, "straight on"]) == [pair]
    assert opposite_sides([left, right]) == [pair]


@pytest.mark.parametrize("labels", NO_PAIRS, ids=lambda labels: " ".join(labels)[:30])
def test_other_labels_are_no_pair(labels: list[str]) -> None:
    assert opposite_sides(labels) == []


def test_each_label_is_in_one_pair() -> None:
    labels = ["upper left", "upper right", "lower_left", "lower_right", "Upper-Left", "middle"]
    assert opposite_sides(labels) == [("upper left", "upper right"), ("lower_left", "lower_right")]


def test_a_label_with_two_sides_goes_with_its_mirror_image() -> None:
    labels = ["left to left", "right to left", "left to right", "right to right"]
    assert opposite_sides(labels) == [("left to left", "right to right"), ("left to right", "right to left")]


def test_signs_of_an_alphabet_are_mirror_images_of_each_other() -> None:
    assert opposite_sides(list(string.ascii_lowercase)) == [("b", "d"), ("p", "q")]
    assert opposite_sides(["lt", "rt", "gt", "<", ">"]) == [("<", ">"), ("lt", "gt")]


def test_quadrants_go_with_their_mirror_images() -> None:
    assert opposite_sides(["UL", "UR", "LL", "LR"]) == [("UL", "UR"), ("LL", "LR")]
    assert opposite_sides(["LUL", "RUL", "RML", "LLL", "RLL"]) == [("LUL", "RUL"), ("LLL", "RLL")]


def test_letters_of_other_directions_do_not_hide_l_and_r() -> None:
    assert opposite_sides(["u", "d", "l", "r"]) == [("l", "r")]


def test_decomposed_accents_do_not_matter() -> None:
    decomposed = unicodedata.normalize("NFD", "vänster")
    assert opposite_sides([decomposed, "höger"]) == [(decomposed, "höger")]


def test_many_labels_take_no_time() -> None:
    labels = [f"{side} {number}" for side in ("left", "right") for number in range(5000)]
    began_s = time.process_time()
    assert len(opposite_sides(labels)) == 5000
    assert time.process_time() - began_s < 2.0  # all pairs would be 25 million
