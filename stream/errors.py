"""Everything springtide raises on purpose.

::

    SpringtideError                    exit code 1
    ├── SettingsError                  2   a setting is wrong, or a file it names is missing
    ├── FileFormatError                2   a stream file cannot be read as events
    ├── BrokerError                    3   the embedded broker cannot start or stop
    ├── LogError                       4
    │   ├── LogUnavailableError        4   nobody answers at the bootstrap address
    │   ├── TopicError                 4   a topic is missing, or is not as it must be
    │   ├── LeaseLostError             5   another process leads the task now
    │   └── CommitInDoubtError         5   a transaction's outcome is unknown: state must be rebuilt
    ├── SnapshotError                  6   one snapshot cannot be used (the next one is tried)
    ├── RecoveryError                  6   snapshot, journal and log disagree
    ├── ModelError                     7   a model raises on everything
    └── MessageError                   -   one message is bad; it becomes a dead letter, never an exit

Each message is one sentence that says what is wrong and what to do; the command line prints it and exits with the code.
"""


class SpringtideError(Exception):
    """Root of the tree: the sentence is for the user, the code for the shell."""

    exit_code = 1


class SettingsError(SpringtideError):
    """A setting is unknown, out of range, or names something that is not there."""

    exit_code = 2


class FileFormatError(SpringtideError):
    """A stream file is missing, or cannot be read as events."""

    exit_code = 2


class BrokerError(SpringtideError):
    """The embedded broker cannot be set up, started or stopped."""

    exit_code = 3


class LogError(SpringtideError):
    """The log does not do what the pipeline needs of it."""

    exit_code = 4


class LogUnavailableError(LogError):
    """Nobody answers at the bootstrap address."""


class TopicError(LogError):
    """A topic is missing, or its partitions, clean-up policy or limits are not as they must be."""


class LeaseLostError(LogError):
    """Another process leads the task now; this one must forget its state."""

    exit_code = 5


class CommitInDoubtError(LogError):
    """A transaction's outcome is unknown; producer and state must be rebuilt from what is committed."""

    exit_code = 5


class SnapshotError(SpringtideError):
    """One snapshot is damaged, foreign, or of another format."""

    exit_code = 6


class RecoveryError(SpringtideError):
    """Snapshot, journal and log disagree, and going on would lose or double something."""

    exit_code = 6


class ModelError(SpringtideError):
    """A model has raised on so many records in a row that it is not the records."""

    exit_code = 7


class MessageError(SpringtideError):
    """One message is bad: it becomes a dead letter with this reason.

    Parameters
    ----------
    reason
        A short stable code, such as ``bad_json``; a metric label and the ``exception.class.name`` header.
    message
        What is wrong with this message, in words, without its content.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
