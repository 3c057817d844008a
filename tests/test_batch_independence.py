"""What a batch contains never depends on what else is in it; no loss depends on its size.

For all families: outputs of rows alone and beside others, and every figure of validation for every
task, by the size of the batches.
"""

import json
import random
from pathlib import Path

import pytest
import torch
from conftest import VARIANTS, batch, build, words
from fairseq import metrics, options, tasks
from fairseq.data import Dictionary
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.sequence_generator import SequenceGenerator

import fairseq_memtx.models  # noqa: F401

PAD, EOS = 1, 2
EXACT = {"rtol": 0, "atol": 1e-9}
LENGTHS = [11, 3, 2, 8, 20, 5, 16, 11]
LANGUAGE_MODELS = {
    "memory": [],
    "memory and cache": ["--cache-length", "6", "--memory-reads-cache"],
    "cache": ["--memory-tokens", "0", "--cache-length", "6"],
    "fairseq's layers": ["--backbone", "transformer"],
    "adaptive softmax": ["--adaptive-softmax-cutoff", "9,15"],
}
COMPRESSION = "--encoder-layers 4 --compress-layers 1 --memory-layers 2 --decompress-layers 1"
LSH = "--sparse-attention lsh --chunk-size 4 --lsh-buckets 4"
DOCUMENTS = {
    "chunked": "--chunk-size 4",
    "window": "--sparse-attention window --window-size 4",
    "lsh": LSH,
    "none": "--sparse-attention none",
    "segments": "--chunk-size 4 --segments 3",
    "segments, lsh": f"{LSH} --segments 2",
    "compression": f"--chunk-size 4 {COMPRESSION}",
    "no memory": "--chunk-size 4 --memory-tokens 0",
}


def setup(*flags: object, double: bool = True):
    """Task, model with random weights (float64, evaluation), and criterion of a command line."""
    arguments = list(map(str, flags))
    cfg = convert_namespace_to_omegaconf(
        options.parse_args_and_arch(options.get_training_parser(), arguments)
    )
    task = tasks.setup_task(cfg.task)
    torch.manual_seed(1)
    model = task.build_model(cfg.model)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return task, (model.double() if double else model).eval(), task.build_criterion(cfg.criterion)


def rows(left: bool = False) -> list[torch.Tensor]:
    """Rows of all lengths, ``1 x length`` each."""
    padded = batch(*LENGTHS, left=left)
    return [row[row.ne(PAD)].unsqueeze(0) for row in padded]


def padded(rows: list[torch.Tensor], left: bool = False, more: int = 0) -> torch.Tensor:
    """Rows as a batch, with ``more`` columns of padding than are needed."""
    longest = max(row.size(1) for row in rows) + more
    fill = [row.new_full((1, longest - row.size(1)), PAD) for row in rows]
    return torch.cat([torch.cat([f, r] if left else [r, f], dim=1) for f, r in zip(fill, rows)])


def company() -> list[list[int]]:
    """Which rows are together, in which order."""
    everyone = list(range(len(LENGTHS)))
    shuffled = random.Random(1).sample(everyone, len(everyone))
    return [everyone, everyone[::-1], shuffled, [2, 4], [4, 2, 2], [1, 2], [0, 7, 3]]


def same_in_every_company(read, left: bool = False, more: tuple[int, ...] = (0, 7), **close):
    """``read`` gives for a batch ``B x L x C`` what it gives for its rows alone."""
    texts = rows(left)
    alone = [read(text)[0] for text in texts]
    for together in company():
        for columns in more:
            source = padded([texts[index] for index in together], left, columns)
            for index, found in zip(together, read(source)):
                length = LENGTHS[index]
                found = found[-length:] if left else found[:length]
                torch.testing.assert_close(found, alone[index][:length], **(close or EXACT))


@pytest.mark.parametrize("kind", LANGUAGE_MODELS)
def test_language_models(kind):
    _, model = setup_language_model(*LANGUAGE_MODELS[kind])
    if kind == "adaptive softmax":
        # The adaptive softmax of fairseq and its logarithms are float32.
        same_in_every_company(
            lambda source: model.get_normalized_probs(model(source), log_probs=True),
            rtol=0,
            atol=1e-5,
        )
    same_in_every_company(lambda source: model(source, features_only=True)[0])


def setup_language_model(*flags):
    """A model over segments of four tokens."""
    parser = options.get_training_parser()
    arguments = ["unused", "--task", "language_modeling", "--arch", "rmt_lm_tiny"]
    args = options.parse_args_and_arch(parser, [*arguments, "--tokens-per-sample", "4", *flags])
    cfg = convert_namespace_to_omegaconf(args)
    task = tasks.TASK_REGISTRY["language_modeling"](args, words())
    torch.manual_seed(1)
    model = task.build_model(cfg.model).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return task, model


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_long_documents(kind):
    """Features, masked words and memory; positions of segments are those of a row of 40."""
    flags = f"--memory-tokens 3 --max-positions 40 {DOCUMENTS[kind]}"
    _, model, _ = setup(
        "--task", "majority-tagging", "--domains", 12, "--sequence-length", 38,
        "--arch", "gmat_roberta_tiny",
        "--criterion", "sequence_tagging", *flags.split(),
    )  # fmt: skip
    for wanted in ({"features_only": True}, {}, {"token_head_name": "tags"}):
        same_in_every_company(lambda source, wanted=wanted: model(source, **wanted)[0])
    if kind != "no memory":
        alone = [model.extract_memory(text)[0] for text in rows()]
        for together in company():
            found = model.extract_memory(padded([rows()[index] for index in together], more=3))
            torch.testing.assert_close(found, torch.stack([alone[i] for i in together]), **EXACT)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("left", [True, False])
def test_translation(variant, left):
    """The encoder's rows, and the decoder's for a target of the source's length."""
    model = build(variant)

    def read(source: torch.Tensor) -> torch.Tensor:
        encoded = model.encoder(source)["encoder_out"][0].transpose(0, 1)
        return encoded[:, model.args.memory_tokens :]

    same_in_every_company(read, left)

    def translate(source: torch.Tensor) -> torch.Tensor:
        previous = source.new_full((len(source), 4), 5)
        return model.decoder(previous, encoder_out=model.encoder(source))[0]

    texts = rows(left)
    alone = [translate(text)[0] for text in texts]
    for together in company():
        found = translate(padded([texts[index] for index in together], left, 3))
        # fairseq's attention takes its softmax in float32.
        expected = torch.stack([alone[index] for index in together])
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "search",
    [
        {"beam_size": 3},
        {"beam_size": 2, "min_len": 4},
        {"beam_size": 3, "max_len_a": 0.6, "max_len_b": 1},
    ],
    ids=str,
)
def test_translations(search):
    """Beams, their scores and their order, of a sentence alone and beside longer ones."""
    model = build("tokens")
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    generator = SequenceGenerator([model], words(), **{"max_len_b": 12, **search})

    def translate(source: torch.Tensor) -> list[list[dict]]:
        net_input = {"src_tokens": source, "src_lengths": source.ne(PAD).sum(dim=1)}
        return generator.generate([model], {"net_input": net_input})

    texts = rows(left=True)
    alone = [translate(text)[0] for text in texts]
    for together in company():
        found = translate(padded([texts[index] for index in together], left=True))
        for index, beams in zip(together, found):
            for beam, expected in zip(beams, alone[index]):
                assert beam["tokens"].tolist() == expected["tokens"].tolist()
                torch.testing.assert_close(beam["score"], expected["score"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("variant", VARIANTS)
def test_translation_in_half_precision(variant, precision):
    """As close as its numbers are, and without a NaN."""
    model = build(variant).to(precision)

    def read(source: torch.Tensor) -> torch.Tensor:
        return model.encoder(source)["encoder_out"][0].transpose(0, 1)[:, 3:]

    close = 3e-2 if precision is torch.float16 else 2e-1
    same_in_every_company(read, left=True, more=(3,), rtol=0, atol=close)


BATCHES = [
    {"max_sentences": 1},
    {"max_sentences": 3},
    {"max_sentences": 8, "required_batch_size_multiple": 8},
    {"max_sentences": 3, "required_batch_size_multiple": 8},
    {"max_tokens": 400},
    {"max_tokens": 190, "required_batch_size_multiple": 8},
]
OF_BATCHES = {"wpb", "bsz", "wps", "ups"}  # figures of the batches, and not of the model


def validated(task, model, criterion, **limits) -> dict[str, float]:
    """All that validation logs."""
    iterator = task.get_batch_iterator(task.dataset("valid"), **limits, disable_iterator_cache=True)
    logs = [
        task.valid_step(sample, model, criterion)[2]
        for sample in iterator.next_epoch_itr(shuffle=False)
    ]
    with metrics.aggregate(new_root=True) as logged:
        task.reduce_metrics(logs, criterion)
    figures = logged.get_smoothed_values()
    assert "loss" in figures
    return {name: value for name, value in figures.items() if name not in OF_BATCHES}


def write_side(folder: Path, lines: list[str], symbols: str = "") -> Dictionary:
    """A text as ``fairseq-preprocess --only-source`` writes it, with all its words."""
    folder.mkdir(parents=True)
    dictionary = Dictionary()
    for symbol in symbols.split() or sorted({word for line in lines for word in line.split()}):
        dictionary.add_symbol(symbol)
    dictionary.save(str(folder / "dict.txt"))
    for split in ("train", "valid"):
        builder = MMapIndexedDatasetBuilder(str(folder / f"{split}.bin"))
        for line in lines:
            builder.add_item(dictionary.encode_line(line, add_if_not_exist=False))
        builder.finalize(str(folder / f"{split}.idx"))
    return dictionary


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    """Eleven rows of all lengths for every task that reads files."""
    folder, numbers = tmp_path_factory.mktemp("folders"), random.Random(1)
    lengths = [9, 1, 4, 22, 30, 7, 15, 2, 12, 6, 18]
    lines = [" ".join(numbers.choices("abcdefgh", k=length)) for length in lengths]
    labels = [numbers.choice(["no", "yes"]) for _ in lines]
    write_side(folder / "text", lines)
    for name in ("tags", "classes"):
        write_side(folder / name / "input0", lines)
    write_side(folder / "classes/label", labels)
    tags = str.maketrans("abcdefgh", "xyxyxyxy")
    write_side(folder / "tags/label", [line.translate(tags) for line in lines])
    (folder / "scores/label").mkdir(parents=True)
    write_side(folder / "scores/input0", lines)
    for split in ("train", "valid"):
        values = "".join(f"{numbers.random():.3f}\n" for _ in lines)
        (folder / f"scores/label/{split}.label").write_text(values)
    questions = folder / "questions"
    questions.mkdir()
    paragraphs = []
    for index, length in enumerate(lengths):
        text = numbers.choices("abcdefgh", k=3 * length)
        place = numbers.randrange(len(text))
        answer = {"text": text[place], "answer_start": 2 * place}
        asked = {"id": str(index), "question": "a b", "answers": [answer]}
        paragraphs.append({"context": " ".join(text), "qas": [asked]})
    for split in ("train", "valid"):
        content = {"data": [{"paragraphs": paragraphs}]}
        (questions / f"{split}.json").write_text(json.dumps(content))
    (questions / "dict.txt").write_text("".join(f"{symbol} 1\n" for symbol in "abcdefgh"))
    return folder


GMAT = "--arch gmat_roberta_tiny --memory-tokens 3 --chunk-size 8"
MASKED = f"text --task masked_lm --criterion masked_lm {GMAT} --tokens-per-sample 40"
CLASSES = f"--task sentence_prediction --criterion sentence_prediction {GMAT} --max-positions 40"
TAGS = f"--criterion sequence_tagging {GMAT}"
DRAWN = "--train-size 11 --valid-size 11"
ALGORITHM = f"--task algorithmic_sequences {DRAWN} --arch rmt_lm_tiny --segments 3"
# The folder of a task's data, if it has one, and its flags.
TASKS = {
    "masked_lm": f"{MASKED} --sample-break-mode eos --mask-prob 0.3",
    "masked_lm, segments": f"{MASKED} --sample-break-mode eos --segments 3",
    "masked_lm, lsh": f"{MASKED} --sample-break-mode complete --sparse-attention lsh",
    "sequence_tagging": f"tags --task sequence_tagging {TAGS} --max-positions 40",
    "sentence_prediction": f"classes {CLASSES} --num-classes 2 --init-token 0 --segments 2",
    "regression": f"scores {CLASSES} --num-classes 1 --init-token 0 --regression-target",
    "extractive_qa": f"questions --task extractive_qa --criterion extractive_qa {GMAT} "
    "--max-positions 24 --max-question-length 4",
    "majority-tagging": f"--task majority-tagging {TAGS} {DRAWN} --sequence-length 20",
    "signed-sum": f"--task signed-sum {TAGS} {DRAWN} --sequence-length 20",
    "copy": f"{ALGORITHM} --sequence-length 6 --criterion cross_entropy",
    "copy, by segments": f"{ALGORITHM} --sequence-length 6 --criterion segment_cross_entropy",
    "equations": f"{ALGORITHM} --algorithm quadratic-equations --criterion cross_entropy "
    "--sentence-avg --valid-size 3",
}


@pytest.mark.parametrize("name", TASKS)
def test_no_figure_of_validation_depends_on_the_batches(name, folders):
    first, *flags = TASKS[name].split()
    flags.insert(0, first if first.startswith("--") else folders / first)
    parts = setup(*flags, double=False)
    parts[0].load_dataset("valid")
    figures = [validated(*parts, **limits) for limits in BATCHES]
    for limits, found in zip(BATCHES[1:], figures[1:]):
        assert found == pytest.approx(figures[0], rel=2e-6, abs=2e-6), limits


@pytest.mark.parametrize(
    "criterion",
    ["cross_entropy", "label_smoothed_cross_entropy", "fused_label_smoothed_cross_entropy"],
)
@pytest.mark.parametrize("flags", [[], ["--memory-variant", "bottleneck", "--left-pad-source"]])
def test_no_figure_of_translation_depends_on_the_batches(criterion, flags, toy_data):
    smoothing = ["--label-smoothing", 0.1, "--report-accuracy"]
    smoothing = [] if criterion == "cross_entropy" else smoothing
    parts = setup(
        toy_data, "--task", "translation", "-s", "src", "-t", "tgt", "--criterion", criterion,
        "--arch", "mem_transformer_tiny", "--memory-tokens", 3, *smoothing, *flags, double=False,
    )  # fmt: skip
    parts[0].load_dataset("valid")
    figures = [validated(*parts, **limits) for limits in BATCHES]
    for limits, found in zip(BATCHES[1:], figures[1:]):
        assert found == pytest.approx(figures[0], rel=2e-6, abs=2e-6), limits
