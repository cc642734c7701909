"""Brighter for fainter and few for many: which sources each training has."""

import numpy as np
import pytest
from planted_classes import drawn

from galprism.errors import RequestError
from galprism.evaluate.classes import (
    TABLE_2,
    Division,
    brighter_than,
    extrapolation_table,
    in_bins,
    judge_classes,
    nested_subsets,
    training_size_table,
)
from galprism.evaluate.figures import style
from galprism.evaluate.figures.class_studies import training_size


def test_both_ways_of_dividing_are_those_of_the_papers_table():
    """Feng et al. 2025, Table 2: four limits, then four bins two magnitudes wide, each tried on the next magnitude."""
    assert [division.label("r") for division in TABLE_2] == [
        ("r ≤ 21", "21 < r ≤ 22"),
        ("r ≤ 20", "20 < r ≤ 21"),
        ("r ≤ 19", "19 < r ≤ 20"),
        ("r ≤ 18", "18 < r ≤ 19"),
        ("19 < r ≤ 21", "21 < r ≤ 22"),
        ("18 < r ≤ 20", "20 < r ≤ 21"),
        ("17.5 < r ≤ 19.5", "19.5 < r ≤ 20.5"),
        ("17 < r ≤ 19", "19 < r ≤ 20"),
    ]


def test_a_source_is_learned_from_or_tried_on_never_both():
    mag = np.append(np.random.default_rng(0).uniform(15, 24, 5000), [np.nan, 21.0, 22.0])
    for division in (*brighter_than((21.0,), 1.0), *in_bins(((19.0, 21.0),), 1.0)):
        train, test = division.rows(mag)
        assert not np.any(train & test)
        assert mag[train].max() <= 21.0 < mag[test].min()
        assert mag[test].max() <= 22.0
        assert not train[-3]
        assert not test[-3]
        assert train[-2]
        assert test[-1]
    assert np.nanmin(mag[brighter_than((21.0,))[0].rows(mag)[0]]) < 15.1
    assert mag[in_bins(((19.0, 21.0),))[0].rows(mag)[0]].min() > 19.0


def test_divisions_without_sources_or_sense_are_refused():
    with pytest.raises(
        RequestError, match=r"no source to be tried on between magnitudes 21 and 22; there are 18 to 20"
    ):
        brighter_than((21.0,))[0].rows(np.array([18.0, 19.0, 20.0]))
    with pytest.raises(RequestError, match="no source to learn from"):
        brighter_than((17.0,), 3)[0].rows(np.array([18.0, 19.0, 20.0]))
    for train, test in (((19, 18), (18, 19)), ((18, 20), (19, 21)), ((18, 19), (20, 20))):
        with pytest.raises(RequestError, match="ascending magnitudes"):
            Division(train, test)


def test_its_table_has_the_metrics_and_how_many_of_each_class():
    probability, true, _ = drawn(3000)
    found = judge_classes(probability, true)
    table = extrapolation_table({TABLE_2[0]: found})
    assert table.header[:3] == ("learned from", "tried on", "star / qso / galaxy")
    assert table.rows[0][2] == " / ".join(f"{(true == k).sum():,}" for k in range(3))
    assert table.rows[0][8].startswith(f"{100 * found.of('qso').f1:.2f}% ± ")


def test_subsets_are_nested_and_need_every_class():
    classes = np.repeat([0, 1, 2], [300, 20, 680])
    subsets = nested_subsets(classes, (1000, 100, 400), seed=1)
    assert [len(rows) for rows in subsets.values()] == [100, 400, 1000]
    assert set(subsets[100]) < set(subsets[400]) < set(subsets[1000])
    assert not np.array_equal(subsets[400], nested_subsets(classes, (400,), seed=4)[400])
    with pytest.raises(RequestError, match="training size 2000; accepted: 1 to 1000"):
        nested_subsets(classes, (2000,))
    with pytest.raises(RequestError, match="training size 2 has no"):
        nested_subsets(classes, (2,))


def test_more_sources_to_learn_from_are_drawn_and_tabled(monkeypatch):
    """F1 of probabilities that are blurred less the more was learned from."""
    monkeypatch.setattr(style, "DPI", 30)
    probability, true, _ = drawn(2000)
    rng = np.random.default_rng(5)
    runs = {}
    for size, blur in ((1000, 0.95), (4000, 0.5)):
        noise = probability * rng.uniform(1 - blur, 1, probability.shape)
        runs[size] = judge_classes(noise / noise.sum(axis=1, keepdims=True), true)
    table = training_size_table(runs)
    assert [row[0] for row in table.rows] == ["1,000", "4,000"]
    assert table.caption.startswith("tried on ")
    assert runs[4000].macro_f1 > runs[1000].macro_f1
    drawing = training_size("sizes", "Sizes", {"m": {size: [run, run] for size, run in runs.items()}})
    assert drawing.png.startswith(b"\x89PNG")
    assert f"{(true == 1).sum()} quasars" in drawing.caption
    other = judge_classes(probability[:1500], true[:1500])
    with pytest.raises(RequestError, match="tried on different sources"):
        training_size_table(runs | {2000: other})
