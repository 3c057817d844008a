"""``--max-len-a``, by which the length of a translation depends on who else is in its batch."""

import functools
from typing import Any

from fairseq.sequence_generator import SequenceGenerator

from . import says

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/3078"


def needed() -> bool:
    return says(SequenceGenerator._generate, "max_len_a")


def mend() -> None:
    """Let ``--max-len-a`` multiply a sentence's own length, and not that of the batch's longest.

    The generator of fairseq has one limit for a batch (``max_len``), so that
    a translation that runs on to it ends elsewhere in another batch. Here a sentence that has come
    to its own limit has nothing left to choose but its end.
    """
    unlimited = SequenceGenerator._generate

    @functools.wraps(unlimited)
    def _generate(self: Any, sample: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        net_input = sample["net_input"]
        if not self.max_len_a or self.match_source_len or "src_lengths" not in net_input:
            return unlimited(self, sample, *args, **kwargs)
        lengths, names = net_input["src_lengths"].view(-1).tolist(), sample.get("id")
        names = range(len(lengths)) if names is None else names.tolist()
        limits = {n: int(self.max_len_a * le + self.max_len_b) for n, le in zip(names, lengths)}
        choose = self.search.step

        def step(step, lprobs, scores, prev_output_tokens=None, original_batch_idxs=None):
            """Choose, once those at their limit have nothing left but their end."""
            for row, name in enumerate(original_batch_idxs.tolist()):
                if step >= limits[name]:
                    lprobs[row, :, : self.eos] = float("-inf")
                    lprobs[row, :, self.eos + 1 :] = float("-inf")
            return choose(step, lprobs, scores, prev_output_tokens, original_batch_idxs)

        self.search.step = step
        try:
            return unlimited(self, sample, *args, **kwargs)
        finally:
            self.search.step = choose

    SequenceGenerator._generate = _generate
