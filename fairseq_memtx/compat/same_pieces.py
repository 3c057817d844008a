"""Text that is typed is cut into the pieces that the data folder has.

fairseq's ``--tokenizer moses --bpe subword_nmt`` leaves out two of the steps by which a folder was
prepared: it does not make punctuation uniform, and it knows no vocabulary, so that it makes pieces
that the model has never seen. Nor does it know whether the text was lower-cased.
"""

from typing import Any

from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/2160"


@around("fairseq.tasks:FairseqTask.build_bpe", told_by="build_bpe")
def mend(build: Any, task: Any, settings: Any) -> Any:
    """Let every task build its tokenizer and BPE by the record of its data folder.

    ``fairseq-interactive`` and ``fairseq-generate`` ask the task for both. The hub interfaces do
    not, and get what it builds afterwards.
    """
    from ..data.folder_pieces import folder_bpe

    return _by_record(build, folder_bpe, task, settings)


@mend.also("fairseq.tasks:FairseqTask.build_tokenizer")
def _build_tokenizer(build: Any, task: Any, settings: Any) -> Any:
    from ..data.folder_pieces import folder_tokenizer

    return _by_record(build, folder_tokenizer, task, settings)


def _by_record(build: Any, wrap: Any, task: Any, settings: Any) -> Any:
    from ..data.folder_pieces import record_of

    encoder, record = build(task, settings), record_of(task, settings)
    if record is None or record.unit in ("characters", "bytes"):
        return encoder
    return wrap(encoder, record, task, settings)


@mend.also("fairseq.hub_utils:GeneratorHubInterface.__init__")
def _begin_generator(begin: Any, hub: Any, *arguments: Any, **more: Any) -> None:
    from ..data.folder_pieces import record_of

    begin(hub, *arguments, **more)
    if record_of(hub.task, hub.cfg.bpe) is not None:
        hub.tokenizer = hub.task.build_tokenizer(hub.cfg.tokenizer)
        hub.bpe = hub.task.build_bpe(hub.cfg.bpe)


@mend.also("fairseq.models.roberta.hub_interface:RobertaHubInterface.__init__")
def _begin_roberta(begin: Any, hub: Any, *arguments: Any, **more: Any) -> None:
    from ..data.folder_pieces import record_of
    from ..data.text_encoders import LowerCase, WholeText

    begin(hub, *arguments, **more)
    record = record_of(hub.task, hub.cfg.bpe)
    if record is not None and record.unit in ("words", "pieces"):
        hub.bpe = WholeText(record)
    elif record is not None and record.lowercase and hub.bpe is not None:
        hub.bpe = LowerCase(hub.bpe)
