"""Language models that go on with plain text, in every unit that a folder can be prepared in."""

import json
import re
from pathlib import Path

import pytest
import torch
from conftest import succeed
from fairseq import checkpoint_utils, options, tasks
from fairseq.data import data_utils
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.models.rmt_lm import RmtLanguageModel

TEXT = "ROMEO:\nThe  old\tman_and \\n€ the 漢字 se\xa0a \n\n old_man 😀: the sea , the man\n"
UNITS = ["words", "pieces", "characters", "bytes"]
pytestmark = pytest.mark.training


def save_model(data: Path, folder: Path) -> None:
    """A checkpoint of a small model with random weights, as ``fairseq-train`` writes it."""
    arguments = [str(data), "--task", "rmt_language_modeling", "--arch", "rmt_lm_tiny"]
    arguments += ["--tokens-per-sample", "8", "--batch-size", "2"]
    args = options.parse_args_and_arch(options.get_training_parser(), arguments)
    cfg = convert_namespace_to_omegaconf(args)
    task = tasks.setup_task(cfg.task)
    torch.manual_seed(1)
    model = task.build_model(cfg.model)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    saved = {"args": None, "cfg": OmegaConf.to_container(cfg), "model": model.state_dict()}
    saved["extra_state"] = {"train_iterator": {"epoch": 1}}
    saved["optimizer_history"] = [{"num_updates": 0, "lr_scheduler_state": {}}]
    checkpoint_utils.torch_persistent_save(saved, str(folder / "model.pt"))


@pytest.fixture(scope="module", params=UNITS)
def prepared(request, tmp_path_factory) -> tuple[str, Path, Path]:
    """Unit, folder of data and folder of a model."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "text").write_text(TEXT * 3, encoding="utf-8")
    flags = ["--bpe-size", 40, "--lowercase"] if request.param == "pieces" else []
    succeed(
        "fairseq-memtx", "prepare", "language-model", "--unit",
        request.param, "--train", folder / "text", "--valid", folder / "text", "--dest",
        folder / "data", *flags,
    )  # fmt: skip
    save_model(folder / "data", folder)
    return request.param, folder / "data", folder


def hub_of(prepared, **settings):
    _, data, folder = prepared
    return RmtLanguageModel.from_pretrained(str(folder), "model.pt", str(data), **settings)


def test_a_prompt_has_the_tokens_of_the_prepared_text(prepared):
    hub = hub_of(prepared)
    text = data_utils.load_indexed_dataset(str(prepared[1] / "train"), hub.src_dict)
    expected = torch.cat([text[line] for line in range(len(text))])
    assert hub.encode((TEXT * 3)[:-1]).tolist() == expected.tolist()
    assert 3 not in expected


def normal(unit: str, text: str) -> str:
    """A text as far as the tokens know it."""
    if unit in ("characters", "bytes"):
        return text
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return "\n".join(lines).lower() if unit == "pieces" else "\n".join(lines)


@pytest.mark.parametrize("prompt", ["ROMEO:", "The  old ", "ROMEO:\nThe  old", "\n\nROMEO:\n\n"])
def test_the_text_is_prompt_and_continuation(prepared, prompt):
    """Whatever is written, in beam search or drawn, of several prompts at once."""
    hub, unit = hub_of(prepared), prepared[0]
    tokens = hub.encode(prompt)[:-1]
    for settings in ({"beam": 3}, {"beam": 1, "sampling": True, "sampling_topp": 0.9}):
        texts = hub.generate(
            [hub.encode(prompt), hub.encode("the sea , the")], max_len_b=40, **settings
        )
        written = texts[0][0]["tokens"]
        assert written[: len(tokens)].tolist() == tokens.tolist()
        if unit in ("characters", "bytes"):
            assert len(written) == 41, "it goes on after the end of a line"
            assert hub.decode(written).startswith(prompt)
        text = hub.sample(prompt, max_len_b=40, **settings)
        assert text.startswith(normal(unit, prompt))
        if unit in ("words", "pieces"):
            assert text.count("\n") == prompt.count("\n"), "it ends with its line"


def test_what_fills_a_dictionary_up_is_never_written(prepared):
    hub = hub_of(prepared)
    filling = [index for index, s in enumerate(hub.tgt_dict.symbols) if "madeupword" in s]
    generator = hub.task.build_generator(list(hub.models), hub.cfg.generation)
    suppressed = generator.token_indices_to_suppress
    assert filling == ([] if suppressed is None else suppressed.tolist())
    assert filling or prepared[0] == "bytes", "whose dictionary is round by chance"


def test_bytes_of_half_a_character_are_shown(prepared):
    if prepared[0] == "bytes":
        hub = hub_of(prepared)
        tokens = hub.encode("sea €")[:-2]
        assert hub.decode(tokens) == "sea \ufffd"


def test_the_unit_can_be_said(prepared):
    """Without the folder's record; and a text that is cut already can be continued too."""
    unit, data, _ = prepared
    if unit not in ("characters", "bytes"):
        pytest.skip("the other units need codes or none")
    (data / "prepared.json").rename(data / "elsewhere")
    try:
        expected = hub_of(prepared, bpe=unit).encode("the\nsea")
        cut = hub_of(prepared)
        assert cut.encode(cut.string(expected)).tolist() == expected.tolist()
    finally:
        (data / "elsewhere").rename(data / "prepared.json")
    assert hub_of(prepared).encode("the\nsea").tolist() == expected.tolist()


def test_a_prompt_full_of_unknown_characters_is_told(prepared, caplog):
    hub = hub_of(prepared)
    hub.sample("the sea", beam=1, max_len_b=20)
    assert "unknown" not in caplog.text
    hub.sample("ПРИВЕТ", beam=1, max_len_b=20)
    assert "of a prompt" in caplog.text


def test_a_prompt_that_is_too_long_is_told(prepared):
    with pytest.raises(MemtxError, match="raise --max-len-b"):
        hub_of(prepared).sample("the sea , the man", max_len_b=3)


def test_interactive(prepared):
    """Plain text in and out, with no flags, spaces at the ends included."""
    unit, data, folder = prepared
    if unit in ("words", "pieces"):
        pytest.skip("as in characters")
    prompts = "The  old \nROMEO:\n\n" + ("T h e _ </s> s e a\n" if unit == "characters" else "")
    output = succeed(
        "fairseq-interactive", data, "--user-dir", "fairseq_memtx", "--task",
        "rmt_language_modeling", "--path", folder / "model.pt", "--beam", 2, "--max-len-b", 30,
        "--cpu", input=prompts,
    )  # fmt: skip
    written = dict(re.findall(r"^D-(\d)\t\S+\t(.*?)\nP-", output, re.MULTILINE | re.DOTALL))
    assert written["0"].startswith("The  old ")
    assert written["1"].startswith("ROMEO:")
    assert len(written["2"].encode(errors="replace")) >= 30 or unit == "bytes"
    if unit == "characters":
        assert re.search(r"^S-1\tR O M E O :$", output, re.MULTILINE)
        assert re.search(r"^H-3\t\S+\tT h e _ </s> s e a ", output, re.MULTILINE)
        assert written["3"].startswith("The \nsea")
        assert [len(text) for text in written.values()] == [30] * 4


def test_the_record_names_the_unit(prepared):
    settings = json.loads((prepared[1] / "prepared.json").read_text())["settings"]
    assert settings["unit"] == prepared[0]
