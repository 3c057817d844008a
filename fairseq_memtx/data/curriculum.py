"""A curriculum over the number of segments that are read, and learned from, at once."""

from bisect import bisect_right
from itertools import accumulate

from ..errors import MemtxError


class SegmentCurriculum:
    """Windows of few segments first, of more later.

    Args:
        text: stages ``SEGMENTS:UPDATES`` in their order, such as ``1:2000,2:2000,4:2000``. The last
            one goes on until training ends, whatever its number of updates, which may be missing.

    Raises:
        MemtxError: if the text says something else.
    """

    def __init__(self, text: str) -> None:
        stages = [stage.partition(":")[::2] for stage in text.split(",")]
        try:
            self.segments = [int(segments) for segments, _ in stages]
            if stages[-1][1] in ("", "..."):
                stages[-1] = (stages[-1][0], "1")
            updates = [int(updates) for _, updates in stages]
            if min(self.segments + updates) < 1:
                raise ValueError("a stage of nothing")
        except ValueError as cause:
            raise MemtxError(
                f"--segment-curriculum {text} is not understood: write SEGMENTS:UPDATES for every "
                "stage, such as 1:2000,2:2000,4:2000"
            ) from cause
        self.ends = list(accumulate(updates[:-1]))

    def segments_at(self, update: int) -> int:
        """Segments of a window once ``update`` updates were made."""
        return self.segments[bisect_right(self.ends, update)]
