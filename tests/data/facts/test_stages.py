"""Stages that are left when they are learnt, or after a number of updates."""

import pytest
from conftest import ROOT  # noqa: F401  (the plugin comes first)

from fairseq_memtx.data.facts.stages import Stages
from fairseq_memtx.errors import MemtxError


def segments_of_epochs(text: str, accuracies: list[float], updates: int = 10) -> list[int]:
    """Segments in each epoch of so many updates, which ends with a validation."""
    stages = Stages(text)
    place, segments = stages.begin(), []
    for epoch, accuracy in enumerate(accuracies, 1):
        place = stages.go_on(place, epoch, (epoch - 1) * updates)
        segments.append(stages.segments[place["stage"]])
        place = stages.validated(place, accuracy)
    return segments


def test_by_accuracy_two_in_a_row():
    accuracies = [0.95, 0.5, 0.9, 0.91, 0.95, 0.99, 1.0, 1.0]
    assert segments_of_epochs("1:0.9,2:0.95,4", accuracies) == [1, 1, 1, 1, 2, 2, 4, 4]


def test_by_updates():
    assert segments_of_epochs("1:20,2:25,4:10,6", [0.0] * 8) == [1, 1, 2, 2, 2, 4, 6, 6]


def test_both():
    assert segments_of_epochs("1:20,2:0.9,4:5,8", [1.0] * 7) == [1, 1, 2, 2, 4, 8, 8]


def test_the_last_stage_goes_on():
    for text in ("3", "3:0.5", "3:10", "3:..."):
        assert segments_of_epochs(text, [1.0] * 4) == [3] * 4


def test_a_stopped_run_goes_on_in_its_stage():
    """It begins its epoch once more, whatever was validated within it."""
    stages = Stages("1:0.9,2")
    place = stages.go_on(stages.begin(), 3, 100)
    for _ in range(2):
        place = stages.validated(place, 1.0)
    assert stages.go_on(place, 3, 150)["stage"] == 0
    assert stages.go_on(place, 4, 200)["stage"] == 1


def test_a_run_that_begins_anew_begins_with_the_first_stage():
    stages = Stages("1:5,2")
    place = stages.go_on(stages.go_on(stages.begin(), 7, 0), 8, 30)
    assert place["stage"] == 1
    assert stages.go_on(place, 1, 0) == {**stages.begin(), "epoch": 1}


def test_what_is_no_curriculum():
    for text in ("", "1:,2", "1:x,2", "0:5,2", "1:-3,2", "1:1.5,2", "1,2", "1:0.0,2"):
        with pytest.raises(MemtxError, match=f"--segment-curriculum {text} is not understood"):
            Stages(text)
