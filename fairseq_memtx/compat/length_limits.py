"""``--max-len-a``, by which the length of a translation depends on who else is in its batch."""

from typing import Any
from unittest import mock

from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/3078"


@around("fairseq.sequence_generator:SequenceGenerator._generate", told_by="max_len_a")
def mend(unlimited: Any, generator: Any, sample: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    """Let ``--max-len-a`` multiply a sentence's own length, and not that of the batch's longest.

    The generator of fairseq has one limit for a batch (``max_len``), so that
    a translation that runs on to it ends elsewhere in another batch. Here a sentence that has come
    to its own limit has nothing left to choose but its end.
    """
    net_input = sample["net_input"]
    if not generator.max_len_a or generator.match_source_len or "src_lengths" not in net_input:
        return unlimited(generator, sample, *args, **kwargs)
    lengths, names = net_input["src_lengths"].view(-1).tolist(), sample.get("id")
    names = range(len(lengths)) if names is None else names.tolist()
    a, b = generator.max_len_a, generator.max_len_b
    limits = {name: int(a * length + b) for name, length in zip(names, lengths)}
    choose = generator.search.step

    def step(step, lprobs, scores, prev_output_tokens=None, original_batch_idxs=None):
        """Choose, once those at their limit have nothing left but their end."""
        for row, name in enumerate(original_batch_idxs.tolist()):
            if step >= limits[name]:
                lprobs[row, :, : generator.eos] = float("-inf")
                lprobs[row, :, generator.eos + 1 :] = float("-inf")
        return choose(step, lprobs, scores, prev_output_tokens, original_batch_idxs)

    with mock.patch.object(generator.search, "step", step):
        return unlimited(generator, sample, *args, **kwargs)
