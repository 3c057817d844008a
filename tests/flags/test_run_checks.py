"""A run is looked at before anything of it is built; what was trained before still loads."""

import copy
from argparse import Namespace

import pytest
from conftest import fail, words
from fairseq import criterions, models, options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.models import ARCH_CONFIG_REGISTRY
from fairseq.trainer import Trainer

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.flags import ignored_flags, run_checks

LANGUAGE_MODEL = "--task rmt_language_modeling --arch rmt_lm_tiny --batch-size 2"
ROBERTA = "--task masked_lm --arch gmat_roberta_tiny --criterion masked_lm --max-tokens 99"


def configuration(line: str):
    parser = options.get_training_parser()
    data = [] if "algorithmic" in line else ["unused"]
    args = options.parse_args_and_arch(parser, [*data, *line.split()])
    return convert_namespace_to_omegaconf(args)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--sample-break-mode eos", "--sample-break-mode eos would have no effect"),
        ("--add-bos-token", "--add-bos-token would have no effect"),
        ("--future-target", "--future-target would have no effect"),
        ("--shorten-method truncate", "--shorten-method truncate would have no effect"),
        ("--shorten-data-split-list train", "--shorten-data-split-list train would"),
        ("--pad-to-fixed-length", "--pad-to-fixed-length would have no effect"),
        ("--pad-to-fixed-bsz", "--pad-to-fixed-bsz would have no effect"),
        ("--output-dictionary-size 9", "--output-dictionary-size 9 would have no effect"),
        ("--max-tokens 9", "--max-tokens 9 would have no effect"),
        ("--max-target-positions 9", "--max-target-positions 9 would have no effect"),
    ],
)
def test_flags_of_the_task_along_a_text(flags, says):
    cfg = configuration(f"{LANGUAGE_MODEL} {flags}").task
    with pytest.raises(MemtxError, match=says):
        ignored_flags.check(tasks.TASK_REGISTRY["rmt_language_modeling"], cfg)
    assert ignored_flags.check(tasks.TASK_REGISTRY["language_modeling"], cfg) is None


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--add-bos-token", "--add-bos-token would have no effect"),
        ("--segments 2 --tokens-per-sample 4", "--segments 2 would have no effect"),
        ("--algorithm copy --pairs 7", "--pairs 7 would have no effect"),
        ("--algorithm quadratic-equations --sequence-length 9", "--sequence-length 9 would"),
        ("--algorithm quadratic-equations --alphabet-size 9", "--alphabet-size 9 would"),
        ("--max-target-positions 99", "--max-target-positions 99 would have no effect"),
    ],
)
def test_flags_of_the_algorithms(flags, says):
    line = f"--task algorithmic_sequences --arch rmt_lm_tiny --batch-size 2 {flags}"
    with pytest.raises(MemtxError, match=says):
        ignored_flags.check(tasks.TASK_REGISTRY["algorithmic_sequences"], configuration(line).task)


def test_more_answers_than_are_written():
    task = tasks.TASK_REGISTRY["extractive_qa"]
    cfg = Namespace(_name="extractive_qa", n_best=5, n_best_file=None)
    with pytest.raises(MemtxError, match="--n-best 5 would have no effect: it belongs to --n-best"):
        ignored_flags.check(task, cfg)
    ignored_flags.check(task, Namespace(**{**vars(cfg), "n_best_file": "answers.json"}))


NEVER_READ = """
    --decoder-normalize-before --quant-noise-pq=0.1 --scale-fc --scale-attn --scale-heads
    --scale-resids --decoder-learned-pos --no-token-positional-embeddings --adaptive-input
    --base-layers=1 --offload-activations --tie-adaptive-weights --tie-adaptive-proj
    --decoder-xformers-att-config={} --min-params-to-wrap=5
"""


@pytest.mark.parametrize("flag", NEVER_READ.split())
def test_flags_that_the_transformer_xl_never_read(flag):
    """Some of them change something by chance, such as numbers that are drawn."""
    cfg = configuration(f"{LANGUAGE_MODEL} {flag}").model
    with pytest.raises(MemtxError, match=f"{flag.split('=')[0]}.* would have no effect"):
        models.build_model(cfg, None)


def test_a_checkpoint_with_such_flags_still_loads(caplog):
    cfg = configuration(f"{LANGUAGE_MODEL} --scale-fc --future-target")
    dictionary = words()
    with pytest.raises(MemtxError, match="--scale-fc would have no effect"):
        models.build_model(copy.deepcopy(cfg.model), None)
    task = tasks.TASK_REGISTRY["rmt_language_modeling"](cfg.task, dictionary)
    assert models.build_model(cfg.model, task, from_checkpoint=True) is not None
    ignored_flags.check(type(task), cfg.task, from_checkpoint=True)
    for flag in ("--scale-fc", "--future-target"):
        assert f"trained with flags of which {flag} would have no effect" in caplog.text


@pytest.mark.parametrize("family", ["mem_transformer", "rmt_lm", "gmat_roberta"])
def test_no_preset_is_refused(family):
    for arch in models.ARCH_MODEL_INV_REGISTRY[family]:
        known = dict(ignored_flags._defaults(models.MODEL_REGISTRY[family], arch))
        filled = Namespace()
        ARCH_CONFIG_REGISTRY[arch](filled)
        assert known.items() >= vars(filled).items()
        ignored_flags.check(models.MODEL_REGISTRY[family], Namespace(**{**known, "_name": arch}))


def test_precision():
    for flags in ({"fp16": True, "cpu": True}, {"tpu": True, "bf16": True}):
        with pytest.raises(MemtxError, match="leave it out"):
            run_checks.check_precision(Namespace(**flags))
    run_checks.check_precision(Namespace(fp16=True, memory_efficient_fp16=True, cpu=True))
    run_checks.check_precision(Namespace(bf16=True, cpu=True))


def test_every_step_is_looked_at():
    """Task, model and criterion; a run whose parts do not fit is not begun."""
    cfg = configuration(f"{LANGUAGE_MODEL.replace('rmt_language', 'language')}")
    with pytest.raises(MemtxError, match="does not fit --task language_modeling"):
        tasks.setup_task(cfg.task)
    cfg = configuration(f"{ROBERTA} --criterion cross_entropy")
    with pytest.raises(MemtxError, match="--criterion cross_entropy does not fit"):
        criterions.build_criterion(cfg.criterion, None)
    cfg = configuration(f"{ROBERTA} --batch-size 0")
    with pytest.raises(MemtxError, match="--batch-size 0 is too small"):
        tasks.setup_task(cfg.task)
    cfg = configuration(f"{ROBERTA} --fp16 --cpu")
    with pytest.raises(MemtxError, match="--fp16 needs a GPU"):
        tasks.setup_task(cfg.task)


def test_ignored_flags_are_looked_for_in_every_part(tmp_path, monkeypatch):
    """Of the task where it is set up, of the criterion where it is built; models are above."""
    words().save(str(tmp_path / "dict.txt"))
    cfg = configuration(f"{LANGUAGE_MODEL} --future-target --sentence-avg")
    cfg.task.data = str(tmp_path)
    with pytest.raises(MemtxError, match="--future-target would have no effect"):
        tasks.setup_task(cfg.task)
    ignored = ignored_flags.Ignored("sentence_avg", "sentences are not counted")
    kind = criterions.CRITERION_REGISTRY["cross_entropy"]
    monkeypatch.setattr(kind, "ignored_flags", (ignored,), raising=False)
    with pytest.raises(MemtxError, match=r"--sentence-avg .*: sentences are not counted"):
        criterions.build_criterion(cfg.criterion, None)


TRANSLATION = (
    "--arch mem_transformer_tiny --share-all-embeddings --encoder-embed-dim 64 --max-tokens 100"
)


@pytest.mark.training
def test_commands_end_in_one_line(toy_lm, toy_data):
    """What fairseq raises before it asks us, too."""
    plugin = ["--user-dir", "fairseq_memtx", "--cpu"]
    for data, flags, says in [
        (toy_lm, ["--arch", "rmt_lm_tiny", "--batch-size", 2], "do not fit this --task"),
        (toy_lm, ["--task", "masked_lm"], "--arch is missing"),
        (toy_lm, [*LANGUAGE_MODEL.split(), "--seed", -5], "--seed is out of range"),
        (toy_lm, LANGUAGE_MODEL.split()[:-2], "--batch-size or --max-tokens is missing"),
        (toy_data, ["--arch", "mem_transformer_tny"], "did you mean mem_transformer_tiny"),
        (toy_data, TRANSLATION.split(), "requires --encoder-embed-dim to match"),
    ]:
        line = fail("fairseq-train", data, *plugin, *flags)
        assert line.startswith("fairseq-memtx: error: ")
        assert says in line
    line = fail("fairseq-validate", toy_lm, *plugin, "--path", "x.pt", "--batch-size", 2)
    assert line.startswith("fairseq-memtx: error: --task is missing")


def test_a_trainer_is_looked_at_however_it_is_called():
    """That of Megatron hands on by name what fairseq-train gives in order."""
    model = Namespace(decoder=Namespace(adaptive_softmax=None))
    criterion = object.__new__(criterions.CRITERION_REGISTRY["adaptive_loss"])
    with pytest.raises(MemtxError, match="--criterion adaptive_loss needs"):
        Trainer(None, None, model, criterion, quantizer=None)
