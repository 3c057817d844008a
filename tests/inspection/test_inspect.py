"""``fairseq-memtx inspect`` of all families: files, page, texts, errors."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import memtx, succeed
from small_models import FLAGS, train

EVERY = {"attention_maps", "head_classes", "lesion", "exchange"}
RECURRENT = EVERY | {"drift", "writers", "probe"}
PARTS = {
    "facts": RECURRENT - {"probe"},  # eight rows are too few for a probe
    "copy": RECURRENT - {"probe"},
    "armt": RECURRENT - {"probe"},
    "tags": EVERY | {"coverage"},
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Of a kind, trained once."""
    made: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind not in made:
            made[kind] = train(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return of


TEXT_MODEL = (
    "--user-dir fairseq_memtx --task rmt_language_modeling --arch rmt_lm_tiny --memory-tokens 2 "
    "--tokens-per-sample 8 --decoder-embed-dim 32 --decoder-ffn-embed-dim 32 --optimizer adam "
    "--criterion cross_entropy --lr 1e-3 --cpu --batch-size 4 --max-update 2 --num-workers 0 "
    "--disable-validation --seed 1"
)


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def check_page(path: Path) -> None:
    """It needs no network, fits a phone, and can be read aloud."""
    page = Page(path)
    links = [t.get("href") or t.get("src") or "" for _, t in page.tags]
    assert all(link.startswith(("data:", "#")) for link in links if link)
    without_pictures = re.sub(r"data:[^\"]*", "", page.text)
    assert not re.findall(r"https?:|//[a-z]", without_pictures)
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
        "meta"
    )
    assert [t["lang"] for t in page.all("html")] == ["en"]
    assert len(page.all("h1")) == 1
    assert len(page.all("h2")) >= 4
    assert page.all("img")
    assert all(len(t["alt"]) > 40 for t in page.all("img"))
    assert "nan" not in " ".join(t["alt"] for t in page.all("img"))


@pytest.mark.training
@pytest.mark.parametrize("kind", FLAGS)
def test_all_parts_of_a_family(kind, checkpoint, tmp_path, capsys):
    assert memtx("inspect", checkpoint(kind), "--output", tmp_path, "--batch-size", 4) == 0
    found = {path.stem for path in tmp_path.glob("*.json")}
    assert found - {"probe"} == PARTS[kind]
    check_page(tmp_path / "index.html")
    for path in tmp_path.glob("*.json"):
        numbers = json.loads(path.read_text(), parse_constant=pytest.fail)
        assert numbers
        pictures = {p.suffix for p in tmp_path.glob(f"{path.stem}*") if p.suffix != ".json"}
        assert pictures == {".png", ".svg"}
    heads = json.loads((tmp_path / "head_classes.json").read_text())["heads"]
    assert len({(head["layer"], head["head"]) for head in heads}) == len(heads)
    maps = json.loads((tmp_path / "attention_maps.json").read_text())["maps"]
    for record in maps:
        assert len(record["weights"]) == len(record["queries"]) == len(record["query_kinds"])
        for row in record["weights"]:
            assert len(row) == len(record["keys"])
            assert sum(row) == pytest.approx(1, abs=1e-3)


@pytest.mark.training
def test_translation_with_texts(trained, toy_data, tmp_path):
    checkpoint = trained / "checkpoint_last.pt"
    texts = ["one two three", "four five six seven"]
    parts = "attention_maps,head_classes,exchange,decoder_reading,lesion"
    flags = ["--parts", parts, "--layers", "1", "--heads", "0", "--examples", 6, "--text", *texts]
    assert memtx("inspect", checkpoint, toy_data, "--output", tmp_path, *flags) == 0
    check_page(tmp_path / "index.html")
    maps = json.loads((tmp_path / "attention_maps.json").read_text())["maps"]
    assert {(m["layer"], m["head"]) for m in maps} == {("encoder 1", 0), ("decoder 1", 0)}
    memory = ["[m0]", "[m1]", "[m2]"]
    assert maps[0]["keys"] == [*memory, "one", "two", "three", "</s>"]
    lesion = json.loads((tmp_path / "lesion.json").read_text())
    assert lesion["metric"] == "BLEU"
    assert [r["tokens"] for r in lesion["remaining"]] == [0, 1, 2, 3]
    assert [r["token"] for r in lesion["without"]] == [0, 1, 2]
    taken = json.loads((tmp_path / "decoder_reading.json").read_text())
    heads = json.loads((tmp_path / "head_classes.json").read_text())["heads"]
    for layer, slots in taken["layers"].items():
        shares = [h["tokens_to_memory"] for h in heads if h["layer"] == layer]
        assert sum(slots) == pytest.approx(sum(shares) / len(shares), abs=1e-4)


@pytest.mark.training
def test_a_text_language_model_and_texts(toy_lm, tmp_path):
    """Streams of a text; bits per symbol; memory exchanged between texts of a user."""
    succeed("fairseq-train", toy_lm, *TEXT_MODEL.split(), "--save-dir", tmp_path / "model")
    line = ["inspect", tmp_path / "model/checkpoint_last.pt", "--batch-size", 2, "--output"]
    assert memtx(*line, tmp_path / "set") == 0
    lesion = json.loads((tmp_path / "set/lesion.json").read_text())
    assert lesion["metric"] == "bits per symbol"
    assert all(0 < r["value"] < 20 for r in lesion["remaining"])
    words = "one two three four five six seven eight nine ten"
    texts = [" ".join([words] * 3), " ".join([words[::-1].replace(" ", "")[:3], words] * 3)]
    assert memtx(*line, tmp_path / "texts", "--parts", "exchange,drift,writers",
                 "--text", *texts) == 0  # fmt: skip
    drift = json.loads((tmp_path / "texts/drift.json").read_text())["parts"]
    assert set(drift) == {"slot 0", "slot 1"}
    assert len(drift["slot 0"]["norm"]) == 1 + 4


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--parts", "heads"], "--parts heads: use some of attention_maps"),
        (["--layers", "9"], "--layers 9: use 'all' or numbers of 0 to 1"),
        (["--heads", "x"], "--heads x: use 'all' or numbers of 0 to 1"),
        (["--example", "99"], "--example 99 is out of range: the set 'test' has examples 0 to 7"),
        (["--text", " "], "--text is empty"),
    ],
)
@pytest.mark.training
def test_errors_are_one_line(flags, line, checkpoint, tmp_path, capsys):
    parts = [] if "--parts" in flags else ["--parts", "attention_maps"]
    code = memtx("inspect", checkpoint("copy"), "--output", tmp_path / "x", *parts, *flags)
    told = capsys.readouterr().err.strip().splitlines()
    assert line in told[-1]
    assert code == 1


def test_no_such_checkpoint(tmp_path, capsys):
    assert memtx("inspect", tmp_path / "none.pt", "--output", tmp_path / "x") == 1
    assert "there is no checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
