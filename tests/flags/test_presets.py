"""Every architecture, from the command line and from its YAML, is the same model."""

from argparse import Namespace

import pytest
from conftest import SMALL, build, run, succeed, toy_task
from fairseq import options
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.models import ARCH_CONFIG_REGISTRY, ARCH_MODEL_INV_REGISTRY, build_model
from fairseq.optim import OPTIMIZER_REGISTRY
from fairseq.tasks import TASK_REGISTRY
from omegaconf import OmegaConf

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.flags import presets
from fairseq_memtx.models.rmt_flags import RmtLanguageModelConfig

ARCHITECTURES = [
    "mem_transformer",
    "mem_transformer_wmt",
    "mem_ctrl_transformer_wmt",
    "mem_ctrl_shared_transformer_wmt",
    "mem_bottleneck_transformer_wmt",
    "mem_bottleneck_skip_transformer_wmt",
    "mem_transformer_wmt_small",
    "mem_transformer_iwslt_de_en",
    "mem_transformer_multi30k",
    "mem_transformer_tiny",
]
LANGUAGE_MODELS = [
    "rmt_lm",
    "rmt_lm_wiki103",
    "rmt_lm_enwik8",
    "rmt_lm_tiny",
    "transformer_xl_lm_wiki103",
    "transformer_xl_lm_enwik8",
    "rmt_transformer_xl_wiki103",
    "rmt_transformer_xl_enwik8",
    "armt_lm",
    "armt_lm_wiki103",
    "armt_lm_tiny",
]
GMAT = ["gmat_roberta", "gmat_roberta_base", "gmat_roberta_large", "gmat_roberta_tiny"]
WMT = [name for name in ARCHITECTURES if name.endswith("_wmt")]


def command_line(arch: str, *flags: str) -> Namespace:
    parser = options.get_training_parser()
    return options.parse_args_and_arch(parser, ["data", "--arch", arch, *flags])


def test_names_are_registered_and_have_their_file():
    assert sorted(ARCH_MODEL_INV_REGISTRY["mem_transformer"]) == sorted(ARCHITECTURES)
    files = sorted(path.stem for path in presets.FOLDER.glob("*.yaml"))
    assert files == sorted([*ARCHITECTURES, *LANGUAGE_MODELS, *GMAT])
    assert sorted(ARCH_MODEL_INV_REGISTRY["gmat_roberta"]) == sorted(GMAT)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_hydra_builds_what_the_command_line_builds(arch):
    ours = command_line(arch)
    by_flags = build_model(ours, toy_task())
    by_yaml = build_model(OmegaConf.load(presets.FOLDER / f"{arch}.yaml"), toy_task())
    shapes = [
        {name: tuple(value.shape) for name, value in model.state_dict().items()}
        for model in (by_flags, by_yaml)
    ]
    assert shapes[0] == shapes[1]
    for name in (*presets.read(arch), "dropout", "activation_fn", "max_source_positions"):
        assert getattr(by_flags.cfg, name) == getattr(by_yaml.cfg, name), name
    assert [p.requires_grad for p in by_flags.parameters()] == [
        p.requires_grad for p in by_yaml.parameters()
    ]


@pytest.mark.parametrize("arch", ["gmat_roberta_tiny", "gmat_roberta_base"])
def test_gmat_by_hydra_and_by_the_command_line(arch):
    task = toy_task()
    task.max_positions = lambda: 100
    by_flags = build_model(command_line(arch, "--task", "masked_lm"), task)
    filled_in = {**vars(by_flags.args), "_name": arch}
    known = {name: filled_in[name] for name in presets.read(arch)}
    assert known == presets.read(arch)
    by_yaml = build_model(OmegaConf.load(presets.FOLDER / f"{arch}.yaml"), task)
    for name in (*known, "dropout", "activation_fn", "layernorm_embedding"):
        assert getattr(by_flags.args, name) == getattr(by_yaml.args, name), name
    assert by_flags.max_positions() == 1024, "as long as what masked_lm reads"
    assert by_yaml.max_positions() == 100


@pytest.mark.parametrize("arch", LANGUAGE_MODELS)
def test_language_model_of_hydra_is_that_of_the_command_line(arch):
    """Hydra ignores the presets of dataclass models without a word; so it gets the same by file."""
    args = command_line(arch, "--task", "rmt_language_modeling")
    by_flags = OmegaConf.to_container(convert_namespace_to_omegaconf(args).model)
    by_yaml = vars(RmtLanguageModelConfig()) | presets.read(arch)
    of_yaml = {
        name: value
        for name, value in by_yaml.items()
        if name != "_name" and "$" not in str(value)  # what other parts of the configuration say
    }
    assert {name: by_flags[name] for name in of_yaml} == of_yaml
    assert OmegaConf.load(presets.FOLDER / f"{arch}.yaml")._name == "rmt_lm"


@pytest.mark.parametrize(
    ("arch", "flag", "says"),
    [
        ("rmt_lm_tiny", "+model.cache_length=4", "MemoryTokens()"),
        ("armt_lm_tiny", "model.associative_correction=false", "'associative_correction': False"),
    ],
)
def test_language_model_by_hydra(arch, flag, says, toy_lm, tmp_path):
    output = succeed(
        "fairseq-hydra-train", "--config-dir", presets.FOLDER.parent, f"model={arch}",
        "task=rmt_language_modeling", f"task.data='{toy_lm}'", "task.tokens_per_sample=8",
        "criterion=cross_entropy", "optimizer=adam", "common.cpu=true", "dataset.batch_size=2",
        f"common.user_dir='{presets.FOLDER.parents[1]}'", "optimization.max_update=3",
        "optimization.lr=[0.001]", "lr_scheduler=fixed", f"hydra.run.dir='{tmp_path}/run'",
        "checkpoint.no_save=true", flag,
    )  # fmt: skip
    assert says in output
    assert "valid on 'valid' subset" in output


@pytest.mark.parametrize("arch", ["armt_lm", "armt_lm_tiny", "armt_lm_wiki103"])
def test_flags_of_a_layer_memory_are_overridden_without_a_plus(arch):
    """Hydra refuses to change what a YAML does not have."""
    flags = ["model.associative_channels=8", "model.associative_correction=false"]
    output = succeed(
        "fairseq-hydra-train", "--config-dir", presets.FOLDER.parent, f"model={arch}", *flags,
        "--cfg", "job",
    )  # fmt: skip
    assert "associative_channels: 8" in output
    assert "associative_correction: false" in output


def test_hydra_finds_every_task_criterion_and_optimizer_of_the_plugin():
    """bfloat16 on a GPU is for hydra alone: what it does not find cannot be trained so."""
    registries = {
        "task": TASK_REGISTRY, "criterion": CRITERION_REGISTRY, "optimizer": OPTIMIZER_REGISTRY
    }  # fmt: skip
    for kind, registry in registries.items():
        ours = {name for name, of in registry.items() if of.__module__.startswith("fairseq_memtx")}
        files = (presets.FOLDER.parent / kind).glob("*.yaml")
        assert {path.stem: OmegaConf.load(path)._name for path in files} == {n: n for n in ours}


@pytest.mark.parametrize("arch", WMT)
def test_wmt_sizes(arch):
    args = command_line(arch)
    for side in ("encoder", "decoder"):
        sizes = [
            getattr(args, f"{side}_{what}")
            for what in ("layers", "embed_dim", "ffn_embed_dim", "attention_heads")
        ]
        assert sizes == [6, 512, 2048, 8]
        assert not getattr(args, f"{side}_normalize_before"), "post-norm"
    assert args.memory_tokens == 20
    variants = {
        "mem_transformer_wmt": "tokens",
        "mem_ctrl_transformer_wmt": "controller",
        "mem_ctrl_shared_transformer_wmt": "shared-controller",
        "mem_bottleneck_transformer_wmt": "bottleneck",
        "mem_bottleneck_skip_transformer_wmt": "bottleneck-skip",
    }
    assert args.memory_variant == variants[arch]


def test_ten_tokens_are_the_default():
    args = command_line("mem_transformer")
    assert (args.memory_tokens, args.memory_variant) == (10, "tokens")


def test_flags_win_over_the_preset():
    args = command_line("mem_ctrl_transformer_wmt", "--memory-tokens", "7", "--encoder-layers", "2")
    assert (args.memory_tokens, args.encoder_layers, args.decoder_layers) == (7, 2, 6)
    args = command_line("mem_transformer_tiny", "--memory-tokens", "0")
    assert args.memory_tokens == 0


def test_hydra_wins_over_the_preset_too():
    cfg = OmegaConf.create({"_name": "mem_transformer_tiny", "memory_tokens": 0})
    model = build_model(cfg, toy_task())
    assert not any("memory" in name for name, _ in model.named_parameters())


def test_misspelled_name_in_hydra():
    cfg = OmegaConf.create({"_name": "mem_transformer_tiny", "memory_tokns": 3})
    with pytest.raises(MemtxError, match=r"unknown names: memory_tokns"):
        build_model(cfg, toy_task())


def test_every_known_name_may_be_given_in_hydra():
    """A checkpoint of a hydra run holds the filled-in configuration and must load again."""
    args = Namespace(**SMALL)
    ARCH_CONFIG_REGISTRY["mem_transformer"](args)
    model = build_model(OmegaConf.create({**vars(args), "_name": "mem_transformer"}), toy_task())
    assert model.state_dict().keys() == build(memory_tokens=10).state_dict().keys()


def test_hydra_train_by_preset_and_generate(toy_data, tmp_path):
    """``fairseq-hydra-train`` with a preset by its file, then ``fairseq-generate``."""
    flags = """
        task=translation task.source_lang=src task.target_lang=tgt model=mem_transformer_tiny
        model.encoder_embed_dim=32 model.decoder_embed_dim=32 model.memory_tokens=3
        criterion=label_smoothed_cross_entropy optimizer=adam lr_scheduler=fixed
        optimization.lr=[0.005] optimization.max_update=4 dataset.max_tokens=400
        dataset.num_workers=0 common.cpu=true common.log_format=simple
        checkpoint.no_epoch_checkpoints=true
    """.split()  # noqa: SIM905  (reads like the command)
    arguments = [
        f"task.data='{toy_data}'",
        f"checkpoint.save_dir='{tmp_path}/ck'",
        f"common.user_dir='{presets.FOLDER.parents[1]}'",
        f"hydra.run.dir='{tmp_path}/run'",
    ]
    folder = presets.FOLDER.parent
    output = succeed("fairseq-hydra-train", "--config-dir", folder, *flags, *arguments)
    assert "memory" in output
    generated = succeed(
        "fairseq-generate", toy_data, "--user-dir", "fairseq_memtx", "--cpu",
        "--path", tmp_path / "ck/checkpoint_last.pt",
    )  # fmt: skip
    assert "Generate test with beam=5" in generated


def test_unknown_variant_in_hydra(toy_data, tmp_path):
    result = run(
        "fairseq-hydra-train", "--config-dir", presets.FOLDER.parent, "task=translation",
        f"task.data='{toy_data}'", "model=mem_transformer_tiny", "model.memory_variant=tokns",
        "criterion=label_smoothed_cross_entropy", "optimizer=adam", "common.cpu=true",
        "dataset.max_tokens=400", f"common.user_dir='{presets.FOLDER.parents[1]}'",
        f"hydra.run.dir='{tmp_path}/run'",
    )  # fmt: skip
    assert result.returncode != 0
    assert "--memory-variant tokns is unknown" in result.stderr
    assert "Traceback" not in result.stderr
