"""Files that a command writes at its end: whether they can be is found out at its beginning."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.errors import SettingsError


def try_to_write(path: Path, option: str) -> None:
    """Find out that a file cannot be written while nothing is lost by it; leaves what is there as it is."""
    with writing(path, option):
        is_new = not path.exists()
        path.open("ab").close()
        if is_new:
            path.unlink()


@contextmanager
def writing(path: Path, option: str) -> Iterator[None]:
    """Turn a failure to write into a SettingsError that names the option."""
    try:
        yield
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}): choose another path for {option}."
        raise SettingsError(message) from error
