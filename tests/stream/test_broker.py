import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from stream.broker import HOST, EmbeddedBroker
from stream.errors import BrokerError

ROOT = Path(__file__).parents[2]


def _topics(bootstrap: str) -> list[str]:
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        return list(admin.list_topics())


def test_a_restart_on_the_same_directory_finds_its_topics(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as first:
        with KafkaAdminClient(bootstrap_servers=first.bootstrap) as admin:
            admin.create_topics({"kept": {"num_partitions": 2, "replication_factor": 1}})
        with pytest.raises(BrokerError, match="is in use by another broker"):
            EmbeddedBroker(tmp_path).start()
        assert first.running()
    assert not first.running()
    with EmbeddedBroker(tmp_path) as second:
        assert "kept" in _topics(second.bootstrap)
        assert second.bootstrap != first.bootstrap


def test_a_failed_start_quotes_java_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"17\"'\n[ $1 = -version ] || echo 'Caused by: no luck'\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with pytest.raises(BrokerError, match=r"Apache Kafka did not start \(Caused by: no luck\)"):
        EmbeddedBroker().start()
    assert list(temporary.iterdir()) == []


def test_it_listens_where_asked_and_a_busy_port_is_refused(broker: EmbeddedBroker) -> None:
    host, port = broker.bootstrap.split(":")
    assert host == HOST
    with pytest.raises(BrokerError, match=f"Port {port} on {HOST} cannot be used"):
        EmbeddedBroker(port=int(port)).start()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BrokerError, match=r"cannot be used .*: choose another one"):
        EmbeddedBroker(tmp_path / "file").start()


def test_it_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from stream.broker import EmbeddedBroker\n"
        "print(EmbeddedBroker(pathlib.Path(sys.argv[1])).start().bootstrap, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline().rpartition(":")[2])
        os.kill(parent.pid, signal.SIGKILL)
    with (tmp_path / "broker.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # returns when the guard has seen the broker end
    with socket.socket() as probe:
        assert probe.connect_ex((HOST, port)) != 0
