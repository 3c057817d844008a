"""Stages with fewer facts, about as many people."""

import pytest

from fairseq_memtx.data.facts.stages import Stages
from fairseq_memtx.errors import MemtxError


def test_facts_stand_behind_segments():
    stages = Stages("2x2:0.9,2x4:300,4")
    assert stages.segments == [2, 2, 4]
    assert stages.facts == [2, 4, None]
    assert stages.ends == [0.9, 300, 1]


@pytest.mark.parametrize("text", ["2x0:0.9,4", "2x:y,4", "x2:0.9,4", "2x2x2:0.9,4", "2x-1:0.9,4"])
def test_stages_of_no_facts_are_refused(text):
    with pytest.raises(MemtxError, match="--segment-curriculum"):
        Stages(text)
