"""``masked_lm --mask-whole-words``, which fairseq broke."""

from fairseq.tasks import LegacyFairseqTask, masked_lm

from . import where

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/3924"


def _has_no_args() -> bool:
    task = masked_lm.MaskedLMTask
    return not issubclass(task, LegacyFairseqTask) and not hasattr(task, "args")


@where(_has_no_args)
def mend() -> None:
    """Let ``masked_lm --mask-whole-words`` find the settings of ``--bpe``.

    The task looks for them in ``self.args``, which it lost when it got a configuration of its own.
    They lie beside the task's, in the configuration around both. With that, fairseq knows the words
    of every BPE but subword_nmt and fastbpe; `whole_words` knows all.
    """
    from ..data.whole_words import word_beginnings

    masked_lm.MaskedLMTask.args = property(lambda task: task.cfg._get_parent().bpe)
    masked_lm.get_whole_word_mask = word_beginnings
