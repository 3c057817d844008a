"""Every architecture, task and criterion beside every other: trained, or refused in one line."""

from argparse import Namespace

import pytest
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.models import ARCH_MODEL_INV_REGISTRY, ARCH_MODEL_REGISTRY, FairseqLanguageModel
from fairseq.tasks import TASK_REGISTRY

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.flags import combinations

OURS = ("mem_transformer", "rmt_lm", "gmat_roberta")
FITTING = {
    "mem_transformer": {
        "translation",
        "translation_from_pretrained_bart",
        "translation_multi_simple_epoch",
    },
    "rmt_lm": {"rmt_language_modeling", "algorithmic_sequences", "facts_in_noise"},
    "gmat_roberta": {
        "masked_lm",
        "multilingual_masked_lm",
        "sentence_prediction",
        "sentence_ranking",
        "sequence_tagging",
        "extractive_qa",
        "majority-tagging",
        "signed-sum",
        "reading",
    },
}
OUR_TASKS = sorted(
    name for name, kind in TASK_REGISTRY.items() if kind.__module__.startswith("fairseq_memtx")
)


def refused(check, *names) -> str:
    """The line with which something is refused, or nothing."""
    try:
        check(*names)
    except MemtxError as error:
        line = str(error)
    else:
        return ""
    assert "\n" not in line
    return line


@pytest.mark.parametrize("arch", OURS)
def test_our_architectures_on_every_task(arch):
    fitting = {task for task in TASK_REGISTRY if not refused(combinations.check, arch, task)}
    assert fitting == FITTING[arch]
    for size in ARCH_MODEL_INV_REGISTRY[arch]:
        assert refused(combinations.check, size, "speech_to_text")


@pytest.mark.parametrize("task", OUR_TASKS)
def test_our_tasks_with_every_architecture(task):
    kind = TASK_REGISTRY[task]
    fitting = {
        arch
        for arch in ARCH_MODEL_REGISTRY
        if not refused(combinations.check, arch, task)
        and not refused(combinations.check_task, kind, task, arch)
    }
    ours = {arch for family in OURS for arch in ARCH_MODEL_INV_REGISTRY[family]}
    for family in OURS:
        sizes = set(ARCH_MODEL_INV_REGISTRY[family])
        assert sizes & fitting == (sizes if task in FITTING[family] else set())
    others = fitting - ours
    if task in ("algorithmic_sequences", "facts_in_noise"):
        assert "transformer_lm" in others
        assert all(issubclass(ARCH_MODEL_REGISTRY[a], FairseqLanguageModel) for a in others)
    else:
        assert not others


def test_what_to_use_instead_is_told():
    line = refused(combinations.check, "rmt_lm_tiny", "language_modeling")
    assert line == (
        "--arch rmt_lm_tiny does not fit --task language_modeling, which would not hand its memory "
        "on: use --task rmt_language_modeling, algorithmic_sequences or facts_in_noise"
    )
    task = TASK_REGISTRY["sequence_tagging"]
    line = refused(combinations.check_task, task, "sequence_tagging", "transformer")
    assert line == (
        "--task sequence_tagging needs a model with heads for tokens, such as --arch gmat_roberta, "
        "and --arch transformer is none"
    )


@pytest.mark.parametrize("arch", OURS)
def test_every_criterion(arch):
    for task in FITTING[arch]:
        fitting = {
            name
            for name in CRITERION_REGISTRY
            if not refused(combinations.check_criterion, arch, task, name)
        }
        assert fitting == set(ARCH_MODEL_REGISTRY[arch].fits[task])


def test_our_criterions_with_fairseqs_models():
    check = combinations.check_criterion
    assert not refused(check, "transformer", "translation", "fused_label_smoothed_cross_entropy")
    for name in ("segment_cross_entropy", "sequence_tagging", "extractive_qa"):
        assert refused(check, "transformer_lm", "language_modeling", name)
        assert refused(check, "roberta", "sentence_prediction", name)


def test_adaptive_softmax_and_criterion_go_together():
    plain, adaptive = (Namespace(decoder=Namespace(adaptive_softmax=x)) for x in (None, 1))

    def criterion(name):
        return object.__new__(CRITERION_REGISTRY[name])

    check, fused = combinations.check_output, "fused_label_smoothed_cross_entropy"
    assert "needs --adaptive-softmax-cutoff" in refused(check, plain, criterion("adaptive_loss"))
    assert "takes logits" in refused(check, adaptive, criterion(fused))
    for name in ("adaptive_loss", "segment_cross_entropy", "cross_entropy"):
        assert not refused(check, adaptive, criterion(name))
    for name in (fused, "segment_cross_entropy", "cross_entropy"):
        assert not refused(check, plain, criterion(name))


def test_trained_models(caplog):
    """A language model with memory is of some use to fairseq's task; others are refused."""

    def task(name):
        return object.__new__(TASK_REGISTRY[name])

    model = ARCH_MODEL_REGISTRY["rmt_lm"]
    combinations.check_trained(model, task("rmt_language_modeling"))
    assert not caplog.text
    combinations.check_trained(model, task("language_modeling"))
    assert "memory is not carried from batch to batch there" in caplog.text
    for arch, other in [("rmt_lm", "translation"), ("gmat_roberta", "language_modeling")]:
        with pytest.raises(MemtxError, match="does not fit --task"):
            combinations.check_trained(ARCH_MODEL_REGISTRY[arch], task(other))


def test_what_others_bring_along_is_taken_at_its_word():
    kind = type("Theirs", (TASK_REGISTRY["translation"],), {"__module__": "theirs"})
    TASK_REGISTRY["theirs"] = kind
    try:
        assert not refused(combinations.check, "gmat_roberta", "theirs")
    finally:
        del TASK_REGISTRY["theirs"]
