"""Speed of whole commands, as ``fairseq-train`` and ``fairseq-generate`` log it themselves.

The plugin's models with the flags that we recommend, ``--optimizer fused_adam`` and, for
translation, the fused criterion, beside fairseq's with its own: the sizes of the benchmarks
``language_model`` and ``translation``, random data, words a second after the first interval of the
log, sentences a second of beam 5, and the peak of memory of the process. ``bfloat16`` is ``--bf16``
of this plugin, for fairseq's models too, which have none on a CPU without it. The plugin quickens
fairseq's own beam search as well, so fairseq's model has a row with the plugin there.

``--published PATH`` trains language models by ``train.py`` of https://github.com/booydar/LM-RMT as
well, checked out at PATH, with its own Adam and in float32, which is all that it has on a CPU.
"""

import argparse
import shlex
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from fairseq.data import indexed_dataset
from tqdm import tqdm

from . import published_training
from .command_process import run
from .language_model import PUBLISHED, SHAPE
from .language_model import Sizes as LanguageModelSizes
from .translation import SIZES, VOCABULARY
from .turns import SEED, compare, dictionary, told

PLUGIN = f"--user-dir {shlex.quote(str(Path(__file__).parents[2] / 'fairseq_memtx'))}"
FUSED = f"{PLUGIN} --optimizer fused_adam"
ALONG = f"{FUSED} --task rmt_language_modeling --memory-tokens 10"
# What is compared; the first is fairseq's.
LANGUAGE_MODELS = {
    "transformer_lm": "--optimizer adam --task language_modeling --arch transformer_lm "
    "--sample-break-mode none",
    "rmt_lm, transformer": f"{ALONG} --arch rmt_lm --backbone transformer "
    "--decoder-normalize-before",
    "rmt_lm, transformer-xl": f"{ALONG} --arch rmt_lm",
}
TRANSLATORS = {
    "transformer": "--optimizer adam --arch transformer --criterion label_smoothed_cross_entropy",
    "mem_transformer": f"{FUSED} --arch mem_transformer --memory-tokens 10 "
    "--criterion fused_label_smoothed_cross_entropy",
}
SEARCHES = {"transformer": "", "transformer, with the plugin": PLUGIN, "mem_transformer": PLUGIN}
COMMON = (
    "--cpu --num-workers 0 --lr 1e-4 --clip-norm 1 --adam-betas (0.9,0.98) --log-format json "
    f"--seed {SEED} --disable-validation"
)
PRECISIONS = {"float32": "", "bfloat16": "--bf16"}


@dataclass(frozen=True)
class Amounts:
    """How much is done in one turn."""

    updates: int = 32  # of language models; of translation a half
    interval: int = 8  # of the log, likewise
    sentences: int = 48  # to translate
    words: int = 30  # of each


class Turn(NamedTuple):
    """What is measured once a round."""

    table: str
    model: str
    take: Callable[[], tuple[float, float]]  # gives speed, and MiB at the peak


# fairseq without the plugin leaves out what is not a multiple of eight sentences.
TINY = Amounts(updates=4, interval=2, sentences=8, words=2)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of this benchmark alone."""
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument(
        "--only", nargs="+", choices=TABLES, default=list(TABLES), help="these tables"
    )
    parser.add_argument(
        "--published", type=Path, metavar="PATH", help="a checkout of github.com/booydar/LM-RMT"
    )
    parser.add_argument("--tiny", action="store_true", help="amounts of a test, which say nothing")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """By table and precision, speed and memory of every model, and how it compares."""
    amounts = TINY if arguments.tiny else Amounts()
    if arguments.published:
        published_training.script(arguments.published)  # or it would be missed minutes later
    found: dict[str, Any] = defaultdict(dict)
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder), amounts)
        turns = [
            turn
            for precision in arguments.precisions
            for table in arguments.only
            for turn in TABLES[table](Path(folder), amounts, precision)
        ]
        if arguments.published and "language-model" in arguments.only:
            turns += published(Path(folder), amounts, arguments)
        for table, name, *_ in turns:
            found[table][name] = []
        for round_ in tqdm(range(arguments.rounds), desc="rounds", unit="round"):
            for table, name, take in turns if round_ % 2 else turns[::-1]:
                found[table][name].append(take())
    return {"amounts": asdict(amounts), "commands": summary(found)}


def write_data(folder: Path, amounts: Amounts) -> None:
    """Random texts: one of a language model, and sentences in two languages."""
    numbers = torch.Generator().manual_seed(SEED)
    text = 128 * 8 * (amounts.updates + 2)
    lengths = torch.randint(20, 40, (70 * amounts.updates,), generator=numbers)
    parts = {
        "lm/train": (208, [text]),
        **{f"mt/train.de-en.{side}": (VOCABULARY, lengths.tolist()) for side in ("de", "en")},
        **{
            f"mt/test.de-en.{side}": (VOCABULARY, [amounts.words] * amounts.sentences)
            for side in ("de", "en")
        },
    }
    for name, (vocabulary, of_texts) in parts.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        builder = indexed_dataset.make_builder(f"{path}.bin", "mmap", vocab_size=vocabulary)
        words = dictionary(vocabulary)
        for length in of_texts:
            tokens = torch.randint(4, vocabulary, (length,), generator=numbers)
            builder.add_item(torch.cat([tokens, torch.tensor([words.eos()])]).int())
        builder.finalize(f"{path}.idx")
        for file in ("dict.txt",) if name[:2] == "lm" else ("dict.de.txt", "dict.en.txt"):
            words.save(str(path.parent / file))


def language_models(folder: Path, amounts: Amounts, precision: str) -> Iterator[Turn]:
    """Trainings on segments of a text."""
    sizes = SHAPE.replace("--max-target-positions {text_lengths[2]} ", "")
    sizes = sizes.format(**asdict(LanguageModelSizes()))
    for name, flags in LANGUAGE_MODELS.items():
        line = f"{folder}/lm --batch-size 8 --criterion cross_entropy {sizes} {flags}"
        log = f"--max-update {amounts.updates} --log-interval {amounts.interval} --no-save"
        table = f"language model, training, {precision}, words/s"
        line = f"{line} {of_training(precision)} {log}"
        yield Turn(table, name, partial(run, "fairseq-train", line, folder))


def published(folder: Path, amounts: Amounts, asked: argparse.Namespace) -> Iterator[Turn]:
    """The published training, a row of every precision's table, though it has one."""
    sizes = LanguageModelSizes()
    length = sizes.segment * sizes.streams * (amounts.updates + 2)
    published_training.write_text(folder / "published", length, torch.Generator().manual_seed(SEED))
    line = (
        f"--data {folder}/published --dataset enwik8 --n_layer {sizes.layers} --n_head "
        f"{sizes.heads} --d_model {sizes.channels} --d_head {sizes.channels // sizes.heads} "
        f"--d_inner {sizes.ffn_channels} --dropout {sizes.dropout} --tgt_len {sizes.segment} "
        f"--mem_len 0 --num_mem_tokens {sizes.memory_tokens} --mem_at_end --batch_size "
        f"{sizes.streams} --optim adam --lr 1e-4 --clip 1 --scheduler constant --max_step "
        f"{amounts.updates} --log-interval {amounts.interval} --seed {SEED} --debug --multi_gpu"
    )
    tokens = sizes.streams * sizes.segment
    take = partial(published_training.run, asked.published, shlex.split(line), tokens)
    for precision in asked.precisions:
        yield Turn(f"language model, training, {precision}, words/s", PUBLISHED, take)


def translators(folder: Path, amounts: Amounts, precision: str) -> Iterator[Turn]:
    """Trainings on pairs of sentences."""
    updates, interval = amounts.updates // 2, amounts.interval // 2
    for name in TRANSLATORS:
        log = f"--max-update {updates} --log-interval {interval} --no-save"
        table = f"translation, training, {precision}, words/s"
        line = f"{translator(folder, name, precision)} {log}"
        yield Turn(table, name, partial(run, "fairseq-train", line, folder))


def searches(folder: Path, amounts: Amounts, precision: str) -> Iterator[Turn]:
    """Translations, by models that are trained here for two updates."""
    for name in TRANSLATORS:
        line = translator(folder, name, precision)
        run(
            "fairseq-train",
            f"{line} --max-update 2 --log-interval 1 --save-dir {saved(folder, name, precision)}",
            folder,
        )
    for name, plugin in SEARCHES.items():
        if PRECISIONS[precision] and not plugin:
            continue  # fairseq's own knows of no bfloat16 on a CPU
        model = name.partition(",")[0]
        words = f"--min-len {amounts.words} --max-len-a 0 --max-len-b {amounts.words}"
        line = (
            f"{folder}/mt --path {saved(folder, model, precision)}/checkpoint_last.pt --beam 5 "
            f"--batch-size 16 {words} --cpu --num-workers 0 {PRECISIONS[precision]} {plugin}"
        )
        table = f"translation, beam 5, {precision}, sentences/s"
        yield Turn(table, name, partial(run, "fairseq-generate", line, folder))


TABLES = {"language-model": language_models, "translation": translators, "beams": searches}


def translator(folder: Path, name: str, precision: str) -> str:
    """The flags of a translator's training."""
    line = f"{folder}/mt -s de -t en --max-tokens 2048 {SIZES} {TRANSLATORS[name]}"
    return f"{line} {of_training(precision)}"


def of_training(precision: str) -> str:
    """The flags of all trainings; fairseq's own knows of no bfloat16 on a CPU."""
    return f"{COMMON} {PRECISIONS[precision]} {PLUGIN if PRECISIONS[precision] else ''}"


def saved(folder: Path, name: str, precision: str) -> Path:
    """Where a translator is."""
    return folder / f"{name}_{precision}"


def summary(found: dict[str, dict[str, list[tuple[float, float]]]]) -> dict[str, Any]:
    """Medians, and ratios of each round to the first model of a table."""
    rows: dict[str, Any] = defaultdict(dict)
    for table, of_models in found.items():
        baseline, *_ = of_models
        others = [name for name in (baseline, PUBLISHED) if name in of_models]
        for name, turns in of_models.items():
            speeds = [speed for speed, _ in turns]
            rows[table][name] = {
                "speed": statistics.median(speeds),
                "mebibytes": statistics.median(peak for _, peak in turns),
                **{
                    other: compare(speeds, [speed for speed, _ in of_models[other]])
                    for other in others
                    if other != name
                },
            }
    return rows


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = []
    for title, rows in sorted(result["commands"].items()):
        lines.append(title)
        for name, row in rows.items():
            ratios = [f"   {told(of)}) of {who}" for who, of in row.items() if isinstance(of, dict)]
            speed = f"{row['speed']:10.1f}{row['mebibytes']:8.0f} MiB"
            lines.append(f"  {name:26}{speed}{''.join(ratios)}")
    return "\n".join(lines)
