import pytest

from galprism.errors import RequestError
from galprism.recipes.stages import Stage, duration, run_stages, timings


def stages_of(folder, ran, key=1, fail=False):
    def make(name):
        def run():
            if fail and name == "b":
                raise KeyboardInterrupt
            ran.append(name)
            (folder / name).write_text(name)

        return Stage(name, "text", 1.0, (folder / name,), key, run)

    return [make(name) for name in "abc"]


def quiet(_):
    pass


def test_done_stages_are_not_done_again(tmp_path):
    ran = []
    for _ in range(2):
        run_stages(tmp_path / "run", stages_of(tmp_path / "run", ran), quiet)
    assert ran == ["a", "b", "c"]
    assert set(timings(tmp_path / "run")) == {"a", "b", "c"}


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    ran, folder = [], tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run_stages(folder, stages_of(folder, ran, fail=True), quiet)
    run_stages(folder, stages_of(folder, ran), quiet)
    assert ran == ["a", "b", "c"]


def test_what_is_stopped_in_its_first_stage_is_taken_up(tmp_path):
    folder = tmp_path / "run"

    def stop():
        (folder / "sample.part").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stages(folder, [Stage("first", "", 1, (folder / "a",), 1, stop)], quiet)
    ran = []
    run_stages(folder, stages_of(folder, ran), quiet)
    assert ran == ["a", "b", "c"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "keep.txt").write_text("kept")
    with pytest.raises(RequestError, match=r"keep\.txt is a file"):
        run_stages(tmp_path / "keep.txt", [], quiet)
    assert (tmp_path / "keep.txt").read_text() == "kept"


def test_a_changed_request_or_a_lost_output_is_done_again_with_all_after_it(tmp_path):
    ran, folder = [], tmp_path / "run"
    run_stages(folder, stages_of(folder, ran), quiet)
    (folder / "b").unlink()
    run_stages(folder, stages_of(folder, ran), quiet)
    assert ran == ["a", "b", "c", "b", "c"]
    run_stages(folder, stages_of(folder, ran, key=2), quiet)
    assert ran[5:] == ["a", "b", "c"]


def timed(folder, seconds, key=1):
    """A stage that finds what it made before, which tells how long that took."""

    def run():
        (folder / "a").write_text("made")

    return [Stage("a", "text", 1.0, (folder / "a",), key, run, took=lambda: seconds)]


def test_what_is_found_again_took_as_long_as_when_it_was_made(tmp_path):
    folder = tmp_path / "run"
    run_stages(folder, timed(folder, 50.0), quiet)
    assert timings(folder) == {"a": 50.0}
    run_stages(folder, timed(folder, 70.0), quiet)  # nothing is done, and its time is told better
    assert timings(folder) == {"a": 70.0}
    (folder / "a").unlink()
    run_stages(folder, timed(folder, 0.0), quiet)
    assert timings(folder) == {"a": 70.0}
    run_stages(folder, timed(folder, 0.0, key=2), quiet)  # other work has a time of its own
    assert timings(folder)["a"] < 70.0


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RequestError, match="was not made by galprism"):
        run_stages(tmp_path, [], quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_durations_read_well():
    assert [duration(seconds) for seconds in (5, 600, 9000)] == ["5 s", "10 min", "2.5 h"]
