"""Held-out images: stratified, the same for a seed, and never a copy of a training image."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer_worker.pictures.contents import content_groups, content_hashes
from trainer_worker.pictures.splits import Wanted, conflicts, folds_of, given_split, stratified_split
from trainer_worker.pictures.user_files import UserFiles


def test_identical_files_share_a_group_and_others_of_the_same_size_do_not(tmp_path: Path) -> None:
    contents = [b"aaaa", b"bbbb", b"aaaa", b"cc"]
    files = [tmp_path / f"{number}.jpg" for number in range(len(contents))]
    for path, content in zip(files, contents, strict=True):
        path.write_bytes(content)

    groups = content_groups(content_hashes(UserFiles.at(tmp_path), files))

    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 3


def test_shares_follow_the_classes() -> None:
    classes = np.repeat([0, 1, 2], [100, 50, 10])

    split = stratified_split(classes, np.arange(160), Wanted(0.2), seed=1)

    assert np.bincount(classes[split.held_out]).tolist() == [20, 10, 2]


def test_the_seed_decides() -> None:
    classes, groups = np.repeat([0, 1], 50), np.arange(100)
    first, again, other = (stratified_split(classes, groups, Wanted(0.2), seed).held_out.tolist() for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_a_picture_in_two_classes_is_told_and_never_held_out() -> None:
    classes, groups = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 2, 3, 4])

    assert [rows.tolist() for rows in conflicts(groups, classes)] == [[2, 3]]
    for seed in range(20):
        assert not {2, 3} & set(stratified_split(classes, groups, Wanted(0.5), seed).held_out.tolist())


def test_copies_of_one_picture_stay_on_the_train_side() -> None:
    split = stratified_split(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]), Wanted(0.5), seed=1)

    assert {0, 1} <= set(split.train.tolist())
    assert len(split.held_out) == 1


_rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=2, max_size=80)


@given(rows=_rows, share=st.floats(0.05, 0.5), seed=st.integers(0, 1000))
def test_every_split_is_whole_and_keeps_copies_together(rows: list[tuple[int, int]], share: float, seed: int) -> None:
    classes = np.array([label for label, _ in rows])
    groups = np.array([group for _, group in rows])

    split = stratified_split(classes, groups, Wanted(share), seed)

    assert sorted([*split.train.tolist(), *split.held_out.tolist()]) == list(range(len(rows)))
    assert not set(groups[split.train].tolist()) & set(groups[split.held_out].tolist())
    contested = {int(groups[run[0]]) for run in conflicts(groups, classes)}
    for label in set(classes.tolist()):
        of_class = set(groups[classes == label].tolist())
        if len(of_class - contested) >= 2:
            assert label in classes[split.train]
            assert label in classes[split.held_out]


def test_rows_whose_side_is_given_keep_it_and_only_new_ones_fill_up() -> None:
    classes = np.zeros(20, dtype=np.int64)
    sides = np.zeros(20, dtype=np.int8)
    sides[:3], sides[3:15] = 1, -1
    for seed in range(5):
        held_out = set(stratified_split(classes, np.arange(20), Wanted(0.25), seed, sides).held_out.tolist())
        assert {0, 1, 2} < held_out, "held out before"
        assert held_out <= {0, 1, 2, *range(15, 20)}, "trained on before"
        assert len(held_out) == 5


def test_the_callers_split_is_kept_but_for_copies() -> None:
    classes, groups = np.array([0, 0, 1, 1, 0, 1, 1]), np.array([0, 1, 2, 3, 0, 4, 5])
    split = given_split(classes, groups, np.array([0, 1, 2, 3]), np.array([4, 5]))
    assert split.train.tolist() == [1, 2, 3]  # row 0 is a copy of row 4, which scores
    assert split.held_out.tolist() == [4, 5]  # row 6 is in neither part


def test_a_class_that_is_all_copies_still_trains() -> None:
    split = given_split(np.array([0, 1, 1, 0, 1]), np.array([0, 1, 2, 0, 3]), np.array([0, 1, 2]), np.array([3, 4]))
    assert split.train.tolist() == [0, 1, 2]
    assert split.held_out.tolist() == [4]


def test_a_large_group_does_not_empty_the_training_set() -> None:
    classes, groups = np.zeros(60, dtype=np.int64), np.array([0] * 40 + list(range(1, 21)))
    for seed in range(20):
        split = stratified_split(classes, groups, Wanted(0.2), seed)
        assert 0 not in groups[split.held_out], "40 of 60 pictures would have scored"
        assert len(split.held_out) == 12


def test_where_all_groups_are_large_the_smallest_scores() -> None:
    classes, groups = np.zeros(30, dtype=np.int64), np.repeat([0, 1, 2], [12, 10, 8])

    assert np.unique(groups[stratified_split(classes, groups, Wanted(0.1), 1).held_out]).tolist() == [2]


def test_a_group_with_a_picture_that_has_trained_never_scores() -> None:
    classes, groups = np.zeros(20, dtype=np.int64), np.array([0, 0, *range(1, 19)])
    sides = np.zeros(20, dtype=np.int8)
    sides[0], sides[1] = 1, -1
    for seed in range(20):
        assert 0 not in groups[stratified_split(classes, groups, Wanted(0.5), seed, sides).held_out]


@given(rows=_rows, count=st.integers(3, 5), seed=st.integers(0, 1000))
def test_folds_keep_copies_together_and_leave_something_of_each_class_to_train_on(
    rows: list[tuple[int, int]], count: int, seed: int
) -> None:
    classes, groups = np.array([label for label, _ in rows]), np.array([group for _, group in rows])
    split = stratified_split(classes, groups, Wanted(1 / count), seed)

    folds = folds_of(classes, groups, split, count, seed)

    assert np.flatnonzero(folds == 0).tolist() == split.held_out.tolist()
    assert folds.max(initial=0) < count
    contested = {int(groups[run[0]]) for run in conflicts(groups, classes)}
    for group in set(groups.tolist()):
        assert len(set(folds[groups == group].tolist())) == 1
        assert group not in contested or (folds[groups == group] == -1).all()
    for label in set(classes.tolist()):
        for fold in set(folds[classes == label].tolist()) - {-1}:
            assert ((classes == label) & (folds != fold)).any()


def test_every_picture_that_can_score_does_and_folds_are_even() -> None:
    classes = np.repeat([0, 1], [50, 12])
    split = stratified_split(classes, np.arange(62), Wanted(0.2), seed=1)

    folds = folds_of(classes, np.arange(62), split, 5, seed=1)

    assert np.bincount(folds[classes == 0]).tolist() == [10] * 5
    assert sorted(np.bincount(folds[classes == 1]).tolist()) == [2, 2, 2, 3, 3]


def test_a_small_class_has_five_pictures_held_out_but_never_more_than_half() -> None:
    wanted = Wanted(0.1, least=5)
    assert [wanted.of(pictures) for pictures in (2, 7, 10, 12, 40, 80)] == [1, 3, 5, 5, 5, 8]
