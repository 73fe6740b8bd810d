"""The jars of Apache Kafka: locked, fetched once, verified before every start.

`kafka_jars.lock` names each jar by its Maven coordinate and its sha256, and nothing else: where jars come from is the
business of `jgo` and of whoever sets up the machine. What has been fetched stays in the user's cache; a jar whose sum
is right is never fetched again, one whose sum is wrong is never run.

A new version of Kafka is locked by
``python -m stream.jars org.apache.kafka:kafka_2.13:VERSION+org.slf4j:slf4j-simple:1.7.36``.
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from stream.errors import BrokerError

LOCK = Path(__file__).with_name("kafka_jars.lock")
_DOWNLOADS_AT_ONCE = 4
_REQUEST_TIMEOUT_S = 30


class Jar(NamedTuple):
    """One locked jar."""

    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def filename(self) -> str:
        """Its name in the cache."""
        return f"{self.artifact}-{self.version}.jar"


def locked(lock: Path = LOCK) -> list[Jar]:
    """Return the jars of a lock file: lines of ``sha256  group:artifact:version``."""
    lines = (line.split() for line in lock.read_text(encoding="utf-8").splitlines())
    return [Jar(digest, *coordinate.split(":")) for digest, coordinate in lines]


def cache_folder() -> Path:
    """Where fetched jars stay: ``springtide/jars`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "springtide" / "jars"


def ensure_jars(
    jars: Sequence[Jar],
    folder: Path,
    arrived: Callable[[int, int], None] = lambda _done, _all: None,
    repositories: dict[str, str] | None = None,
) -> None:
    """Leave every jar in `folder`, verified.

    Several processes may do so at once: a jar is moved to its name only when it is whole and right.

    Parameters
    ----------
    jars
        What must be there.
    folder
        Where; created when missing.
    arrived
        Called with the number of jars fetched so far and the number to fetch.
    repositories
        Names and addresses of Maven repositories to fetch from; None: Maven Central.

    Raises
    ------
    BrokerError
        When a jar cannot be fetched, or is not the one that was locked.
    """
    missing = [jar for jar in jars if not _is_valid(folder / jar.filename, jar)]
    if not missing:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as staging, ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            fetched = pool.map(lambda jar: _fetch(jar, Path(staging), folder, repositories), missing)
            for done, _ in enumerate(fetched, start=1):
                arrived(done, len(missing))
    except OSError as error:  # includes what the downloads raise
        message = (
            f"The jars of Apache Kafka could not be fetched into {folder} ({_reason(error)}): "
            "check the network and the disk, then start again."
        )
        raise BrokerError(message) from error


def _fetch(jar: Jar, staging: Path, folder: Path, repositories: dict[str, str] | None) -> None:
    from jgo.maven import MavenContext  # noqa: PLC0415  # slow to import, and needed once on a machine

    context = MavenContext(repo_cache=staging, local_repos=[], remote_repos=repositories, timeout=_REQUEST_TIMEOUT_S)
    try:
        path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except RuntimeError as error:  # its word for "no repository has it"
        message = f"{jar.filename} of Apache Kafka is no longer to be had: install a newer springtide."
        raise BrokerError(message) from error
    if not _is_valid(path, jar):
        message = (
            f"{jar.filename} arrived with another checksum than the locked one and was not kept: "
            "start again, and if it stays so, do not trust the network or mirror that it came from."
        )
        raise BrokerError(message)
    path.replace(folder / jar.filename)


def _is_valid(path: Path, jar: Jar) -> bool:
    return path.is_file() and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def lock_lines(endpoint: str) -> list[str]:
    """Resolve an endpoint of jgo (coordinates joined by ``+``) with all it needs into the lines of a lock file."""
    import jgo  # noqa: PLC0415  # slow to import, and needed by maintainers only

    artifacts = sorted(jgo.resolve(endpoint), key=lambda artifact: (artifact.groupId, artifact.artifactId))
    return [
        f"{_sha256(artifact.resolve())}  {artifact.groupId}:{artifact.artifactId}:{artifact.version}"
        for artifact in artifacts
    ]


if __name__ == "__main__":
    LOCK.write_text("\n".join(lock_lines(sys.argv[1])) + "\n", encoding="utf-8")
