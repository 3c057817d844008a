"""The Recurrent Memory Transformer: sizes, who influences whom, gradients, generation."""

import copy
import functools

import pytest
import torch
from conftest import words
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import DictConfig

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.modules.state_holder import StateHolder

SEGMENT = 4
LAYER_MEMORY = ["--layer-memory", "associative", "--associative-channels", "5"]
KINDS = {
    "memory": [],
    "one memory token": ["--memory-tokens", "1"],
    "memory and cache": ["--cache-length", "6"],
    "memory reads cache": ["--cache-length", "6", "--memory-reads-cache"],
    "cache": ["--memory-tokens", "0", "--cache-length", "6"],
    "start only": ["--memory-at-start-only"],
    "no recurrence": ["--memory-recurrence", "none"],
    "fairseq's layers": ["--backbone", "transformer"],
    "nothing": ["--memory-tokens", "0"],
    "layer memory": [*LAYER_MEMORY, "--memory-recurrence", "none"],
    "layer memory of fairseq's layers": [
        *LAYER_MEMORY, "--memory-recurrence", "none", "--backbone", "transformer",
    ],
    "layer memory, memory and cache": [
        *LAYER_MEMORY, "--cache-length", "6", "--no-associative-correction",
    ],
    "published RMT": [
        "--backbone", "transformer", "--causal-memory", "--memory-positions", "running",
    ],
    "published ARMT": [
        *LAYER_MEMORY, "--memory-recurrence", "none", "--backbone", "transformer",
        "--causal-memory", "--memory-positions", "own", "--decoder-learned-pos",
    ],
}  # fmt: skip
BY_FAIRSEQ = [name for name, flags in KINDS.items() if "transformer" in flags]


def build(
    *flags: str, arch: str = "rmt_lm_tiny", seed: int = 1, scale: float = 0.2, count: int = 20
):
    """A model in float64 and evaluation mode; random weights make every path count."""
    cfg = copy.deepcopy(configuration(arch, flags))
    task = tasks.TASK_REGISTRY["language_modeling"](cfg.task, words(count))
    torch.manual_seed(seed)
    model = task.build_model(cfg.model).double().eval()
    if scale:
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=scale)
    return model


@functools.cache
def configuration(arch: str, flags: tuple[str, ...]) -> DictConfig:
    """Of a command line, which takes longer to read than a small model to build."""
    parser = options.get_training_parser()
    arguments = ["unused", "--task", "language_modeling", "--arch", arch, "--dropout", "0"]
    arguments += ["--tokens-per-sample", str(SEGMENT), *flags]
    return convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))


def text(length: int, streams: int = 2, seed: int = 3) -> torch.Tensor:
    numbers = torch.Generator().manual_seed(seed)
    return torch.randint(4, 24, (streams, length), generator=numbers)


def test_sizes_of_the_presets():
    """Parameters inside the layers, as in the published models; every memory token adds d."""
    for arch, inside, channels in [("wiki103", 41_066_400, 410), ("enwik8", 40_949_760, 512)]:
        cutoff = ["--adaptive-softmax-cutoff", "10,15"] if arch == "wiki103" else []
        model = build(*cutoff, arch=f"rmt_lm_{arch}", scale=0)
        layers = sum(p.numel() for p in model.decoder.layers.parameters())
        assert layers == inside
        assert model.decoder.memory.weight.numel() == 10 * channels
        heads = model.decoder.attention_biases
        assert heads.numel() == 2 * channels


def test_memory_tokens_differ_at_the_start():
    memory = build(scale=0).decoder.memory.weight
    assert torch.cdist(memory, memory).fill_diagonal_(1).min() > 0.1
    assert 0.5 < memory.std() < 2, "the scale of what a layer gives"


@pytest.mark.parametrize("kind", KINDS)
def test_later_tokens_have_no_influence(kind):
    model, tokens = build(*KINDS[kind]), text(11)
    before = model(tokens)[0]
    for place in range(11):
        changed = tokens.clone()
        changed[:, place] = 4 + (tokens[:, place] - 3) % 20
        difference = (model(changed)[0] - before).abs().amax(dim=(0, 2))
        assert difference[:place].max() == 0 if place else True
        assert difference[place] > 0


def test_what_reaches_the_next_segment():
    """Tokens of the first segment change the second one through memory, or through the cache."""
    for kind in KINDS:
        model, tokens = build(*KINDS[kind]), text(8)
        changed = tokens.clone()
        changed[:, 0] = 4 + (tokens[:, 0] - 3) % 20
        difference = (model(changed)[0] - model(tokens)[0]).abs()[:, SEGMENT:].max()
        silent = kind in ("start only", "no recurrence", "nothing")
        assert (difference == 0) == silent, kind


@pytest.mark.parametrize("kind", KINDS)
def test_two_windows_are_one_text(kind):
    model, tokens = build(*KINDS[kind]), text(3 * SEGMENT + 2)
    whole = model(tokens)[0]
    holder, parts = StateHolder(), []
    for window in tokens.split(SEGMENT, dim=1):
        parts.append(model(window, holder=holder)[0])
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)


@pytest.mark.parametrize("name", ["memory", "layers.0.rows"])
def test_a_state_of_another_model_is_refused(name):
    model, holder = build("--cache-length", "6"), StateHolder()
    model(text(SEGMENT), holder=holder)
    for other in (holder.state[name][..., :-1], holder.state[name][:1]):
        broken = StateHolder({**holder.state, name: other})
        with pytest.raises(MemtxError, match=rf"the saved {name} has the shape"):
            model(text(SEGMENT), holder=broken)


def test_a_cache_that_holds_all_is_one_long_segment():
    """Each layer reads what entered it before, and not what entered another."""
    flags = [*KINDS["cache"], "--cache-length", "11"]
    short, long = build(*flags), build(*flags, "--tokens-per-sample", "11")
    long.load_state_dict(short.state_dict())
    tokens = text(11)
    assert tokens.size(1) > 2 * SEGMENT
    torch.testing.assert_close(short(tokens)[0], long(tokens)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind):
    """A stream that ends early, beside a longer one."""
    model, tokens = build(*KINDS[kind]), text(10)
    padded = tokens.clone()
    padded[0, 7:] = 1
    alone = model(tokens[:1, :7])[0]
    together = model(padded)[0]
    torch.testing.assert_close(together[:1, :7], alone)
    torch.testing.assert_close(together[1:], model(tokens[1:])[0])
    assert together.isfinite().all()


def test_padding_leaves_memory_alone():
    """The write block reads everything, but not padding."""
    model, tokens = build(), text(3, streams=1)
    short, padded = StateHolder(), StateHolder()
    model(tokens, holder=short)
    model(torch.cat([tokens, torch.tensor([[1]])], dim=1), holder=padded)
    # Its place is one further on, so only its contents are compared: with distances switched off.
    model.decoder.layers.apply(_forget_distances)
    model(tokens, holder=(short := StateHolder()))
    model(torch.cat([tokens, torch.tensor([[1]])], dim=1), holder=(padded := StateHolder()))
    torch.testing.assert_close(short.state["memory"], padded.state["memory"])


def _forget_distances(module) -> None:
    if hasattr(module, "position_proj"):
        torch.nn.init.zeros_(module.position_proj.weight)


@pytest.mark.parametrize("kind", KINDS)
def test_reset_begins_anew(kind):
    model, tokens = build(*KINDS[kind]), text(3 * SEGMENT)
    resets = torch.tensor([[False, True, False], [False, False, False]])
    result = model(tokens, resets=resets)[0]
    torch.testing.assert_close(result[:1, SEGMENT:], model(tokens[:1, SEGMENT:])[0])
    torch.testing.assert_close(result[1:], model(tokens[1:])[0])


@pytest.mark.parametrize(
    "kind",
    ["memory", "memory and cache", "fairseq's layers", "layer memory", "published ARMT"],
)
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 1), (3, 1), (4, 2), (3, 3)])
def test_how_far_the_gradient_reaches(kind, checkpointing, window, stride):
    """A segment's loss reaches all earlier segments of its window and none before it."""
    model = build(*KINDS[kind], *(["--checkpoint-segments"] if checkpointing else [])).train()
    segments = 5
    tokens = text(segments * SEGMENT, streams=1)
    inputs = model.decoder.embed_tokens(tokens).detach().requires_grad_()
    places = iter(inputs.split(SEGMENT, dim=1))
    embedded = {}

    def embed(part: torch.Tensor) -> torch.Tensor:
        key = tuple(part.flatten().tolist())
        return embedded.setdefault(key, next(places)) if key not in embedded else embedded[key]

    model.decoder.embed_tokens.forward = embed
    holder, begin = StateHolder(), 0
    for index in range(-(-segments // stride)):
        following = max(0, (index + 2) * stride - window)
        end = min((index + 1) * stride, segments)
        holder.advance = following - begin
        span = tokens[:, begin * SEGMENT : end * SEGMENT]
        warm_up = index * stride - begin
        result = model(span, holder=holder, warm_up=warm_up)[0]
        assert result.size(1) == (end - begin - warm_up) * SEGMENT
        for scored in range(index * stride, end):
            place = (scored - index * stride) * SEGMENT
            loss = result[:, place : place + SEGMENT].pow(2).sum()
            (gradient,) = torch.autograd.grad(loss, inputs, retain_graph=True)
            reached = [part.abs().max() > 0 for part in gradient.split(SEGMENT, dim=1)]
            assert reached == [begin <= segment <= scored for segment in range(segments)]
        begin = following


def test_a_state_of_a_checkpoint_becomes_that_of_the_model():
    """Checkpoints keep half precision as float32, which would take twice the memory."""
    model = build("--cache-length", "6").bfloat16()
    holder = StateHolder()
    model(text(8), holder=holder)
    names = ["memory", "layers.0.rows", "layers.1.rows"]
    holder.state.update({name: holder.state[name].float() for name in names})
    model(text(4), holder=holder)
    assert {holder.state[name].dtype for name in names} == {torch.bfloat16}


@pytest.mark.parametrize("backbone", ["transformer-xl", "transformer"])
def test_sums_of_a_text_stay_in_float32(backbone):
    model, holder = build(*LAYER_MEMORY, "--backbone", backbone).bfloat16(), StateHolder()
    for _ in range(2):
        assert model(text(8), holder=holder)[0].dtype == torch.bfloat16
    found = {name: part.dtype for name, part in holder.state.items()}
    layers = {f"layers.{layer}.{part}": torch.float32 for layer in (0, 1) for part in "Az"}
    assert found == {"memory": torch.bfloat16, **layers}


@pytest.mark.parametrize(
    ("flags", "correction"),
    [
        ([], True),
        (["--associative-correction"], True),
        (["--associative-correction", "true"], True),
        (["--associative-correction", "False"], False),
        (["--no-associative-correction"], False),
    ],
    ids=str,
)
def test_correction_is_on_and_can_be_turned_off(flags, correction):
    layers = build(*LAYER_MEMORY, *flags).decoder.layers.children()
    assert [layer.layer_memory.correction for layer in layers] == [correction] * 2


def test_a_state_keeps_no_other_rows_in_store():
    """A view of memory or cache would keep all rows of its segment."""
    model, holder = build(*KINDS["memory and cache"]), StateHolder()
    model(text(3 * SEGMENT), holder=holder)
    assert len(holder.state) == 5
    for part in holder.state.values():
        assert part.untyped_storage().nbytes() == part.numel() * part.element_size()


def test_no_gradient_goes_through_the_cache():
    """Not inside a window either; the values do go through."""
    model, tokens = build(*KINDS["cache"]), text(2 * SEGMENT, streams=1)
    inputs = model.decoder.embed_tokens(tokens).detach().requires_grad_()
    places = iter(inputs.split(SEGMENT, dim=1))
    model.decoder.embed_tokens.forward = lambda part: next(places)
    model(tokens, warm_up=1)[0].pow(2).sum().backward()
    assert inputs.grad[:, :SEGMENT].abs().max() == 0
    assert inputs.grad[:, SEGMENT:].abs().max() > 0


def test_the_replay_starts_from_the_older_state():
    """A window that reads segments again gives what reading the text once gives."""
    model, tokens = build(), text(5 * SEGMENT)
    once = model(tokens)[0]
    holder, begin, parts = StateHolder(), 0, []
    for index in range(5):
        following = max(0, index + 2 - 3)
        holder.advance = following - begin
        span = tokens[:, begin * SEGMENT : (index + 1) * SEGMENT]
        parts.append(model(span, holder=holder, warm_up=index - begin)[0])
        begin = following
    torch.testing.assert_close(torch.cat(parts, dim=1), once)


@pytest.mark.parametrize("kind", KINDS)
def test_token_by_token(kind):
    """Generation gives what reading gives, over several segments, also after beams moved."""
    model, tokens = build(*KINDS[kind]), text(3 * SEGMENT + 1, streams=3)
    # fairseq's attention takes its softmax in float32.
    close = {"rtol": 1e-5, "atol": 1e-6} if kind in BY_FAIRSEQ else {}
    whole = model(tokens)[0]
    state: dict = {}
    steps = [model.decoder(tokens[:, :6], incremental_state=state)[0]]  # a prompt at once
    torch.testing.assert_close(steps[0], whole[:, :6], **close)
    order = torch.tensor([2, 0, 0])
    model.decoder.reorder_incremental_state_scripting(state, order)
    tokens = torch.cat([tokens[order, :6], tokens[:, 6:]], dim=1)
    whole = model(tokens)[0]
    for end in range(7, tokens.size(1) + 1):
        step = model.decoder(tokens[:, :end], incremental_state=state)[0]
        assert step.size(1) == 1
        torch.testing.assert_close(step[:, -1], whole[:, end - 1], **close)


ADAPTIVE = ("--adaptive-softmax-cutoff", "10,15")


def test_criterions_see_no_attention():
    assert build()(text(5))[1] == {"attn": [None]}


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_behind_the_logits(kind):
    """By every public way to them, over several segments, in one piece or as they are written."""
    model, tokens = build(*KINDS[kind]), text(2 * SEGMENT + 2)
    logits = model(tokens)[0]
    for features, extra in (
        model.extract_features(tokens, src_lengths=None),
        model.decoder.extract_features(tokens, None, None, False, None, None),
        model.decoder.extract_features_scriptable(tokens),
        model(tokens, features_only=True, return_all_hiddens=True),
        model.forward_decoder(tokens, features_only=True),
    ):
        assert extra == {"attn": [None]}
        torch.testing.assert_close(model.decoder.output_layer(features), logits)
        torch.testing.assert_close(model.output_layer(features), logits)
    holder, state, parts = StateHolder(), {}, []
    for window in tokens.split(SEGMENT, dim=1):
        parts.append(model.extract_features(window, holder=holder)[0])
    torch.testing.assert_close(torch.cat(parts, dim=1), features)
    close = {"rtol": 1e-5, "atol": 1e-6} if kind in BY_FAIRSEQ else {}
    for end in range(1, tokens.size(1) + 1):
        step = model.decoder.extract_features(tokens[:, :end], incremental_state=state)[0]
        torch.testing.assert_close(step[:, -1], features[:, end - 1], **close)
    with pytest.raises(MemtxError, match="full_context_alignment is for translations"):
        model.decoder.extract_features(tokens, full_context_alignment=True)


def test_probabilities_sum_to_one_with_either_softmax():
    for flags in ([], ADAPTIVE):
        model, tokens = build(*flags), text(2 * SEGMENT)
        output = model(tokens)
        sample = {"target": None, "net_input": {"src_tokens": tokens}}
        log_probs = model.get_normalized_probs(output, log_probs=True, sample=sample)
        assert log_probs.shape == (2, 2 * SEGMENT, 24)
        torch.testing.assert_close(log_probs.float().exp().sum(-1), torch.ones(2, 2 * SEGMENT))
        probs = model.get_normalized_probs(output, log_probs=False, sample=sample)
        torch.testing.assert_close(probs, log_probs.exp())
        assert model.max_positions() == model.decoder.max_positions() == 10**9
