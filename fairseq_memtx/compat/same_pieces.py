"""Text that is typed is cut into the pieces that the data folder has.

fairseq's ``--tokenizer moses --bpe subword_nmt`` leaves out two of the steps by which a folder was
prepared: it does not make punctuation uniform, and it knows no vocabulary, so that it makes pieces
that the model has never seen. Nor does it know whether the text was lower-cased.
"""

import functools
from typing import Any, Callable

from fairseq.hub_utils import GeneratorHubInterface
from fairseq.models.roberta.hub_interface import RobertaHubInterface
from fairseq.tasks import FairseqTask

from . import says

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/2160"


def needed() -> bool:
    return says(FairseqTask.build_bpe, "build_bpe")


def mend() -> None:
    """Let every task build its tokenizer and BPE by the record of its data folder.

    ``fairseq-interactive`` and ``fairseq-generate`` ask the task for both. The hub interfaces do
    not, and get what it builds afterwards.
    """
    from ..data.folder_pieces import folder_bpe, folder_tokenizer, record_of
    from ..data.text_encoders import LowerCase, WholeText

    FairseqTask.build_tokenizer = _by_record(FairseqTask.build_tokenizer, folder_tokenizer)
    FairseqTask.build_bpe = _by_record(FairseqTask.build_bpe, folder_bpe)

    def finish_generator(hub: Any) -> None:
        if record_of(hub.task, hub.cfg.bpe) is not None:
            hub.tokenizer = hub.task.build_tokenizer(hub.cfg.tokenizer)
            hub.bpe = hub.task.build_bpe(hub.cfg.bpe)

    def finish_roberta(hub: Any) -> None:
        record = record_of(hub.task, hub.cfg.bpe)
        if record is not None and record.unit in ("words", "pieces"):
            hub.bpe = WholeText(record)
        elif record is not None and record.lowercase and hub.bpe is not None:
            hub.bpe = LowerCase(hub.bpe)

    for hub, finish in (
        (GeneratorHubInterface, finish_generator),
        (RobertaHubInterface, finish_roberta),
    ):
        hub.__init__ = _and_then(hub.__init__, finish)


def _by_record(build: Callable, wrap: Callable) -> Callable:
    from ..data.folder_pieces import record_of

    @functools.wraps(build)
    def built(task: Any, settings: Any) -> Any:
        encoder, record = build(task, settings), record_of(task, settings)
        if record is None or record.unit in ("characters", "bytes"):
            return encoder
        return wrap(encoder, record, task, settings)

    return built


def _and_then(build: Callable, finish: Callable[[Any], None]) -> Callable:
    @functools.wraps(build)
    def built(self: Any, *arguments: Any, **more: Any) -> None:
        build(self, *arguments, **more)
        finish(self)

    return built
