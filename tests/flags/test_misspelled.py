"""What a parser refuses is told in one line that helps."""

import pytest
from fairseq import options

import fairseq_memtx.models  # noqa: F401


def end(capsys, *arguments: str) -> str:
    """The line with which fairseq-train's parser ends."""
    with pytest.raises(SystemExit) as ending:
        options.parse_args_and_arch(options.get_training_parser(), ["data", *arguments])
    assert ending.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said.removeprefix("fairseq-memtx: error: ").strip()


@pytest.mark.parametrize(
    ("flag", "name", "meant"),
    [
        ("--arch", "mem_transfomer_tiny", "mem_transformer_tiny"),
        ("--arch", "rmt-lm", "rmt_lm"),
        ("--arch", "gmat_robertabase", "gmat_roberta_base"),
        ("--task", "rmt_language_modelling", "rmt_language_modeling"),
        ("--criterion", "segment_crossentropy", "segment_cross_entropy"),
        ("--optimizer", "adm", "adam"),
        ("--lr-scheduler", "inverse_sqr", "inverse_sqrt"),
    ],
)
def test_misspelled_names(capsys, flag, name, meant):
    line = end(capsys, flag, name)
    assert line.startswith(f"{flag} {name} is unknown: did you mean ")
    assert meant in line


def test_names_that_are_like_nothing(capsys):
    assert end(capsys, "--arch", "7" * 20).endswith("see --help for the names that there are")
    line = end(capsys, "--ddp-backend", "7")
    assert line.startswith("--ddp-backend 7 is unknown: use one of ")
    assert "legacy_ddp" in line


@pytest.mark.parametrize("arch", ["mem_transformer_tiny", "rmt_lm_tiny", "gmat_roberta_tiny"])
def test_unknown_flags(capsys, arch):
    line = end(capsys, "--arch", arch, "--memry-tokens", "3", "--cpu")
    assert line.startswith(
        "--memry-tokens is no flag of this command, --arch, --task and --criterion: did you mean "
        "--memory-tokens"
    )
    assert end(capsys, "--arch", arch, "--zzzzzzzzzzz=3").endswith(": leave it out")


def test_other_mistakes_keep_argparses_words(capsys):
    arch = ["--arch", "rmt_lm_tiny"]
    assert "--max-tokens: invalid int value: 'many'" in end(capsys, "--max-tokens", "many")
    assert "--max-tokens: expected one argument" in end(capsys, "--max-tokens")
    assert end(capsys, *arch, "more").startswith("'more' is one argument too many")
