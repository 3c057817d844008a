"""What is read, made or cut for a training: texts, streams, questions, generated tasks, folders."""

from .. import plugin  # noqa: F401  (before all else)
