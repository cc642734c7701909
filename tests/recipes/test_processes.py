"""Work shared out to processes is the work done alone."""

from functools import partial

from galprism.recipes.processes import shared_out


def test_answers_are_the_same_and_in_order():
    pieces = list(range(7))
    alone = list(shared_out(partial, (pow, 2), pieces, workers=1))
    assert alone == [1, 2, 4, 8, 16, 32, 64]
    assert list(shared_out(partial, (pow, 2), pieces, workers=2)) == alone  # processes, in truth
    assert list(shared_out(partial, (pow, 2), [], workers=2)) == []
