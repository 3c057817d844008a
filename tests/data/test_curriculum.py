"""The curriculum over the number of segments."""

import pytest

from fairseq_memtx.data.curriculum import SegmentCurriculum
from fairseq_memtx.errors import MemtxError


@pytest.mark.parametrize("last", ["4:7", "4", "4:..."])
def test_stages(last):
    curriculum = SegmentCurriculum(f"1:3,2:2,{last}")
    assert [curriculum.segments_at(update) for update in range(8)] == [1, 1, 1, 2, 2, 4, 4, 4]
    assert curriculum.segments_at(10**9) == 4


@pytest.mark.parametrize(
    "text", ["", "x", "1:2,", "0:3,1", "1:0,2", "1,2", "1:-3,2", "2:5;4", "1:3,2:x"]
)
def test_text_that_is_not_understood(text):
    with pytest.raises(MemtxError, match="SEGMENTS:UPDATES"):
        SegmentCurriculum(text)
