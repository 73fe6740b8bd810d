import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from stream.errors import BrokerError
from stream.jars import Jar, ensure_jars, locked

CONTENT = b"not really a jar"
JAR = Jar(hashlib.sha256(CONTENT).hexdigest(), "org.example", "thing", "1.0")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A Maven repository on loopback that holds `JAR`."""
    folder = tmp_path / "repository" / "org" / "example" / "thing" / "1.0"
    folder.mkdir(parents=True)
    (folder / "thing-1.0.jar").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path / "repository"))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield {"here": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()
        thread.join()


def test_a_missing_jar_is_fetched_and_a_valid_one_is_not(tmp_path: Path, repository: dict[str, str]) -> None:
    arrivals: list[tuple[int, int]] = []
    for _ in range(2):
        ensure_jars([JAR], tmp_path / "cache", lambda done, total: arrivals.append((done, total)), repository)
    assert (tmp_path / "cache" / "thing-1.0.jar").read_bytes() == CONTENT
    assert arrivals == [(1, 1)]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["thing-1.0.jar"]


def test_a_damaged_jar_is_replaced(tmp_path: Path, repository: dict[str, str]) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "thing-1.0.jar").write_bytes(CONTENT[:-1])
    ensure_jars([JAR], tmp_path / "cache", repositories=repository)
    assert (tmp_path / "cache" / "thing-1.0.jar").read_bytes() == CONTENT


def test_a_jar_with_another_checksum_is_not_kept(tmp_path: Path, repository: dict[str, str]) -> None:
    with pytest.raises(BrokerError, match=r"thing-1\.0\.jar arrived with another checksum"):
        ensure_jars([JAR._replace(sha256="0" * 64)], tmp_path / "cache", repositories=repository)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_jar_that_nobody_has_is_named(tmp_path: Path, repository: dict[str, str]) -> None:
    with pytest.raises(BrokerError, match=r"thing-2\.0\.jar of Apache Kafka is no longer to be had"):
        ensure_jars([JAR._replace(version="2.0")], tmp_path / "cache", repositories=repository)


def test_without_a_network_the_sentence_says_so(tmp_path: Path) -> None:
    nobody = {"nobody": "http://127.0.0.1:9"}
    with pytest.raises(BrokerError, match="check the network and the disk"):
        ensure_jars([JAR], tmp_path / "cache", repositories=nobody)


def test_the_lock_names_kafka_and_no_addresses() -> None:
    jars = locked()
    assert ("org.apache.kafka", "kafka_2.13") in {(jar.group, jar.artifact) for jar in jars}
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert len({jar.filename for jar in jars}) == len(jars)
