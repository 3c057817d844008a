"""Language modelling along a text: segments in order, with the state of every stream kept.

Data flow: `StreamBatches` give window after window of all streams. The task puts the streams'
state into the batch in a `StateHolder`, the decoder reads it and leaves the new one there, and the
task keeps that once the step has succeeded. It keeps one state for training and one for each valid
subset; it is the only place where they are kept. The state of training goes into checkpoints with
the place in the text, through the iterator.
"""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from fairseq import metrics
from fairseq.optim import AMPOptimizer
from fairseq.sequence_scorer import SequenceScorer
from fairseq.tasks import register_task
from fairseq.tasks.language_modeling import LanguageModelingConfig
from omegaconf import II

from ..data.curriculum import SegmentCurriculum
from ..errors import MemtxError
from ..flags.flag import flag
from ..flags.ignored_flags import NO_POSITIONS, Ignored, trains_along_a_text
from ..memory import State, memory_statistics
from ..modules.state_holder import StateHolder, StatesOfModels
from .stream_batches import StreamBatches


@dataclass
class RmtLanguageModelingConfig(LanguageModelingConfig):
    """fairseq's language modelling, and how its windows move."""

    window_segments: int = flag(
        1, "S: consecutive segments of --tokens-per-sample in one forward pass"
    )
    stride_segments: int = flag(
        0,
        "N: segments by which the window moves; only the last N are predicted, the others are "
        "read again. N=1 with S=k+1 is the paper's BPTT of depth k (default: S)",
    )
    reset_memory_at_documents: bool = flag(
        False, "begin every document (after an empty line) with an empty memory"
    )
    segment_curriculum: Optional[str] = flag(
        None,
        "window segments by number of updates, such as 1:2000,2:2000,4:2000; the last stage goes "
        "on until training ends",
    )
    valid_streams: int = flag(
        1,
        "streams into which a text is cut for validation and fairseq-eval-lm; memory goes over "
        "the whole text if it is 1. --batch-size says how many are read at a time, which changes "
        "no loss",
    )
    train_subset: str = II("dataset.train_subset")
    update_freq: List[int] = field(default=II("optimization.update_freq"))


@register_task("rmt_language_modeling", dataclass=RmtLanguageModelingConfig)
class RmtLanguageModelingTask(StreamBatches):
    """Train and evaluate a language model with recurrent memory along whole texts."""

    ignored_flags = (
        Ignored(
            "sample_break_mode",
            "the text is read on and on, and memory knows what was before (documents can be kept "
            "apart with --reset-memory-at-documents)",
        ),
        Ignored("add_bos_token", "a text has no beginning-of-sentence symbols"),
        Ignored("future_target", "the next token is what is always predicted"),
        Ignored("output_dictionary_size", "all symbols are predicted"),
        Ignored(
            "shorten_method shorten_data_split_list pad_to_fixed_length pad_to_fixed_bsz",
            "the text is read on and on, nothing is too long or too short",
        ),
        Ignored(
            "dataset.max_tokens dataset.max_tokens_valid",
            "--batch-size says how many streams of --tokens-per-sample a batch has",
            when=trains_along_a_text,  # prompts, in generation, have lengths
        ),
        NO_POSITIONS,
    )

    needs = "a model that hands memory on"
    for_others = ": use --task language_modeling for others"

    @staticmethod
    def fits_model(model: type) -> bool:
        """Whether a model hands memory on."""
        return "rmt_language_modeling" in getattr(model, "fits", ())

    def __init__(self, args, dictionary, output_dictionary=None, targets=None) -> None:
        super().__init__(args, dictionary, output_dictionary, targets)
        # Under --amp: the present update, and the state with which each of its windows began.
        self._update = -1
        self._begun: Dict[int, Optional[State]] = {}

    @classmethod
    def setup_task(cls, args, **kwargs) -> "RmtLanguageModelingTask":
        """Read the dictionary; windows that make no sense and other targets are refused."""
        window, stride = args.window_segments, args.stride_segments
        if args.segment_curriculum:
            if window != 1:
                raise MemtxError(
                    f"--window-segments {window} and --segment-curriculum contradict each other: "
                    "leave out the former"
                )
            window = min(SegmentCurriculum(args.segment_curriculum).segments)
        if window < 1 or not 0 <= stride <= window:
            raise MemtxError(
                f"windows of {window} segments and --stride-segments {stride} make no sense: the "
                "stride is at least 1 and at most the window"
            )
        if args.valid_streams < 1:
            raise MemtxError(f"--valid-streams {args.valid_streams} is too small: use 1 or more")
        if args.self_target or args.past_target:
            raise MemtxError(
                "--self-target and --past-target make no sense here: memory knows the past"
            )
        return super().setup_task(args, **kwargs)

    def build_model(self, args, from_checkpoint: bool = False):
        """Build a model, which has to know segments: those of the text from now on."""
        model = super().build_model(args, from_checkpoint)
        if not hasattr(model.decoder, "segment_length"):
            raise MemtxError(
                "--task rmt_language_modeling is for models that hand memory on, such as --arch "
                "rmt_lm: use --task language_modeling for others"
            )
        # A trained model is evaluated in the segments that it was trained with.
        self.segment_length = model.decoder.segment_length
        self.segment_lengths.add(self.segment_length)
        return model

    def set_num_updates(self, num_updates: int) -> None:
        """The trainer tells how many updates were made, which the curriculum goes by."""
        self.states.updates = num_updates

    def inference_step(self, generator, models, sample, prefix_tokens=None, constraints=None):
        """Continue or score prompts, or score a text (``fairseq-generate --score-reference``).

        Raises:
            MemtxError: if a text is to be continued, window by window.
        """
        if "window" in sample:
            if not isinstance(generator, SequenceScorer):
                raise MemtxError(
                    "fairseq-generate would continue every segment of the text: give "
                    "--score-reference to score it, or prompts to fairseq-interactive"
                )
            if sample["window"] == 0:
                self.scored = StatesOfModels()
            sample["net_input"]["holder"] = self.scored
        return super().inference_step(generator, models, sample, prefix_tokens, constraints)

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False) -> Any:
        """One step. A batch that stands in for a missing one leaves the state as it was."""
        if isinstance(optimizer, AMPOptimizer):
            self._begin_again(sample["window"], update_num)
        holder = self._put_state(sample, "train")
        result = super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)
        if not ignore_grad:
            self.states["train"] = holder.state
            _log_memory(holder, result[1], optimizer)
        return result

    def _begin_again(self, window: int, update_num: int) -> None:
        """Let a window begin with the state that it began with before, in the same update.

        fairseq tries the batches of an update again whose gradients overflowed under ``--amp``.
        """
        if update_num != self._update:
            self._update, self._begun = update_num, {}
        self.states["train"] = self._begun.setdefault(window, self.states.get("train"))

    def valid_step(self, sample, model, criterion) -> Any:
        """One step of validation, which has a state of its own for every subset."""
        name = f"valid {sample['subset']}"
        holder = self._put_state(sample, name)
        result = super().valid_step(sample, model, criterion)
        self.states[name] = holder.state
        return result

    def _put_state(self, sample: Dict[str, Any], name: str) -> StateHolder:
        """The state of these streams, empty at the start of the text."""
        state = self.states.get(name) if sample["window"] else None
        holder = StateHolder(state, sample["advance"])
        sample["net_input"]["holder"] = holder
        return holder


def _log_memory(holder: StateHolder, sample_size: int, optimizer: Any) -> None:
    """Figures for the log and TensorBoard; gradients are those of the loss of one token."""
    if not holder.memories:
        return
    norm, change, gradient = memory_statistics(holder.memories)
    scaler = getattr(optimizer, "scaler", None)  # of half precision
    scale = getattr(scaler, "loss_scale", None) or (scaler.get_scale() if scaler else 1)
    metrics.log_scalar("memory_norm", norm, round=3)
    metrics.log_scalar("memory_change", change, round=4)
    metrics.log_scalar("memory_gradient", gradient / (scale * sample_size), round=6)
