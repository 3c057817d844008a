"""A curriculum over segments of a row and facts in it; stages end when learnt, or after a while.

Stages change between epochs alone, and all that is known of them lies in one dictionary, which goes
into checkpoints, so that a run goes on in the stage in which it was stopped.
"""

from typing import Any

from ...errors import MemtxError

IN_A_ROW = 2  # validations, so that no stage is left by luck


class Stages:
    """Rows of few segments first, of more later.

    Args:
        text: stages ``SEGMENTS:END`` in their order, such as ``1:0.99,2:0.99,4:2000,8``. A number
            with a point is the accuracy that two validations in a row have to reach, one without
            a point the number of updates. The last stage goes on until training ends. Behind
            ``SEGMENTS`` may stand ``xFACTS``, as in ``2x2:0.9,2x4:0.9,4``.

    Attributes:
        segments: of every stage.
        facts: of every stage, None where nothing is said of them.

    Raises:
        MemtxError: if the text says something else.
    """

    def __init__(self, text: str) -> None:
        stages = [stage.partition(":")[::2] for stage in text.split(",")]
        if stages[-1][1] in ("", "..."):
            stages[-1] = (stages[-1][0], "1")
        try:
            sizes = [size.partition("x")[::2] for size, _ in stages]
            self.segments = [int(segments) for segments, _ in sizes]
            self.facts = [int(facts) if facts else None for _, facts in sizes]
            self.ends = [float(end) if "." in end else int(end) for _, end in stages]
            accuracies = [end for end in self.ends if isinstance(end, float)]
            said = [facts for facts in self.facts if facts is not None]
            if min(*self.segments, *self.ends, *said) <= 0 or max(accuracies, default=1) > 1:
                raise ValueError("a stage of nothing")
        except ValueError as cause:
            raise MemtxError(
                f"--segment-curriculum {text} is not understood: write SEGMENTS:ACCURACY or "
                "SEGMENTS:UPDATES for every stage, such as 1:0.99,2:0.99,4:2000,8"
            ) from cause

    @staticmethod
    def begin() -> dict[str, Any]:
        """The place of a run that has not begun: its stage, the updates that were made before that,
        the validations in a row that reached its accuracy, and the epoch in which this was so.
        """
        return {"stage": 0, "updates": 0, "reached": 0, "epoch": 0}

    def go_on(self, place: dict[str, Any], epoch: int, updates: int) -> dict[str, Any]:
        """The place in an epoch that begins, or that a stopped run goes on in, after `updates`."""
        if epoch < place["epoch"]:
            place = self.begin()
        stage = place["stage"]
        if epoch == place["epoch"] or stage + 1 == len(self.ends):
            return {**place, "epoch": epoch}
        end = self.ends[stage]
        made = place["reached"] if isinstance(end, float) else updates - place["updates"]
        if made < (IN_A_ROW if isinstance(end, float) else end):
            return {**place, "epoch": epoch}
        return {"stage": stage + 1, "updates": updates, "reached": 0, "epoch": epoch}

    def validated(self, place: dict[str, Any], accuracy: float) -> dict[str, Any]:
        """The place after a validation on rows of its stage."""
        reached = accuracy >= self.ends[place["stage"]]
        return {**place, "reached": place["reached"] + 1 if reached else 0}
