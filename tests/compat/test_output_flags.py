"""Flags of ``fairseq-generate`` and ``fairseq-interactive`` that fairseq cannot follow."""

from argparse import Namespace

import pytest
from conftest import build, fail, toy_task, words
from fairseq.tasks import FairseqTask
from fairseq_cli import interactive

from fairseq_memtx import compat
from fairseq_memtx.errors import MemtxError, explain


class TaskOfWords(FairseqTask):
    source_dictionary = target_dictionary = words()


def generator(**flags):
    compat.mend_fairseq()
    task = TaskOfWords(toy_task().cfg)
    return task.build_generator([build()], Namespace(beam=2, **flags))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"replace_unk": "@@ "}, "--replace-unk cannot be done.*leave it out"),
        ({"replace_unk": ""}, "--replace-unk cannot be done"),
        ({"sacrebleu": True}, "--sacrebleu does nothing.*use --scoring sacrebleu"),
    ],
)
def test_flags_that_are_refused(flags, says):
    with pytest.raises(MemtxError, match=says):
        generator(**flags)


def test_soft_alignments_are_for_files_alone():
    compat.mend_fairseq()
    flags = Namespace(generation=Namespace(print_alignment="soft"))
    with pytest.raises(MemtxError, match="cannot print --print-alignment soft: use hard"):
        interactive.make_batches([], flags, None, None, None)


def test_what_fairseq_itself_raises_is_explained():
    raised = AssertionError("--replace-unk requires a raw text dataset (--dataset-impl=raw)")
    assert "--replace-unk cannot be done: leave it out" in explain(raised)
    raised = ImportError("Please install editdistance to use WER scorer")
    assert "needs the package editdistance: pip install editdistance" in explain(raised)


@pytest.mark.training
def test_the_command(toy_data, trained):
    flags = ["--user-dir", "fairseq_memtx", "--cpu", "--path", trained / "checkpoint_last.pt"]
    line = fail("fairseq-interactive", toy_data, *flags, "--replace-unk", input="one two\n")
    assert line.startswith("fairseq-memtx: error: --replace-unk cannot be done")
