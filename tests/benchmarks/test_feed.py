from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

from benchmarks.feed import feed, main
from consumers.configuration import load
from consumers.files.reading import EventFile
from stream.events import Decoder, Interaction
from stream.log import Record
from stream.policy import Role


def test_the_same_seed_gives_the_same_feed_in_order_of_time() -> None:
    once, again, other = (list(islice(feed(seed), 3_000)) for seed in (1, 1, 2))
    assert once == again != other
    assert all(before.timestamp <= after.timestamp for before, after in pairwise(once))
    assert len({action.event_id for action in once}) == 3_000


def test_most_of_it_is_shown_some_is_opened_and_little_is_hidden() -> None:
    actions = Counter(action.action for action in islice(feed(), 5_000))
    assert actions.keys() == {"impression", "open", "like", "share", "hide"}
    assert actions["impression"] > 3 * actions["open"] > 6 * actions["share"]
    assert actions["impression"] > 10 * actions["hide"]


def test_the_file_is_read_with_the_preset_and_every_action_has_its_role(tmp_path: Path) -> None:
    main(tmp_path / "feed.csv", events=500, seed=1)
    settings = load(preset="social")
    names, policy = settings.input.fields.field_map(), settings.events.policy()
    (batch,) = EventFile(tmp_path / "feed.csv")
    roles: dict[str, Role] = {}
    for offset, message in enumerate(batch.messages(names)):
        decoded = Decoder(names, policy).decode(Record("interactions", 0, offset, 2**50, None, message))
        (event,) = decoded.events
        assert isinstance(event, Interaction)
        roles[event.event_type] = policy.judge(event.event_type, event.value).role
    assert roles["impression"] is Role.EXPOSURE
    assert roles["hide"] is Role.NEGATIVE
    assert roles["open"] is roles["like"] is roles["share"] is Role.LEARN
