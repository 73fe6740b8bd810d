"""Streams of six kinds, read as they usually come: where the fields stand, and what the events mean.

A preset is a layer of settings beneath the settings file and the environment: whatever is set there wins, key by key.
It holds `[input.fields]` and `[events]` only. How the models learn is the same for all streams.

Shop and video are the tracking plans of Segment (e-commerce and video specification); the names of Google Analytics 4
have their roles everywhere (`stream.policy`). Those fields stand in a ``properties`` object, and the ``type`` of such a
message says which call it was; what springtide calls the type stands in ``springtide.type`` there, so that requests and
erasures can still be sent. The others are flat records as an application would send them.

Three rules decide the roles:

- what tells of an item that was chosen is learned from, once: progress reports, pauses and completions of what was
  already counted when it began are ignored, or every film would teach that it is followed by itself;
- what was on the screen is an exposure;
- negative is for ever, the item is not offered to that user again. So a track that was skipped is no more than an
  exposure: it says "not now". A hidden post is negative.

docs/guides has a page for each.
"""

from typing import Any

_SEGMENT = {
    "user_id": "userId",
    "event_time": "timestamp",
    "event_id": "messageId",
    "event_type": "event",
    "type": "springtide.type",
    "value": "",
}
_FLAT = {"event_time": "timestamp", "event_type": "event", "items": ""}


def _roles(**names: str) -> dict[str, str]:
    """Role by event type, from the names of each role with commas between them."""
    return {name.strip(): role for role, several in names.items() for name in several.split(",")}


PRESETS: dict[str, dict[str, Any]] = {
    "shop": {
        "input": {
            "fields": _SEGMENT | {"item_id": "properties.product_id", "items": "properties.products"},
        },
        "events": {
            "types": _roles(
                ignore="Coupon Entered, Coupon Applied, Coupon Denied, Coupon Removed, Application Opened, "
                "Application Installed, Application Updated, Application Backgrounded"
            )
        },
    },
    "news": {
        "input": {"fields": _FLAT | {"item_id": "article_id", "value": "read_seconds"}},
        "events": {
            "negative_below": 5.0,
            "types": _roles(
                learn="page_view, article_view, share, bookmark",
                exposure="teaser_view",
                negative="hide",
                ignore="home_view, section_view, page_ping, heartbeat",
            ),
        },
    },
    "music": {
        "input": {"fields": _FLAT | {"item_id": "track_id", "value": "seconds_played"}},
        "events": {
            "types": _roles(
                learn="play, like, add_to_playlist",
                exposure="skip, queue_view",
                negative="dislike, ban",
                ignore="pause, resume, seek, heartbeat, finish",
            )
        },
    },
    "video": {
        "input": {"fields": _SEGMENT | {"item_id": "properties.asset_id", "items": ""}},
        "events": {
            "types": _roles(
                learn="Video Content Started, Video Liked, Video Added to Watchlist",
                exposure="Video Thumbnail Viewed",
                negative="Video Disliked, Video Hidden",
                ignore="Video Content Playing, Video Content Completed, Video Playback Started, Video Playback Paused, "
                "Video Playback Interrupted, Video Playback Resumed, Video Playback Completed, Video Playback Exited, "
                "Video Playback Buffer Started, Video Playback Buffer Completed, Video Playback Seek Started, "
                "Video Playback Seek Completed, Video Quality Updated, Video Ad Started, Video Ad Playing, "
                "Video Ad Completed",
            )
        },
    },
    "checkins": {
        "input": {"fields": _FLAT | {"item_id": "venue_id", "value": "rating"}},
        "events": {
            "types": _roles(
                learn="checkin, save, review",
                exposure="venue_view",
                negative="hide, report_closed",
                ignore="map_view, checkout",
            )
        },
    },
    "social": {
        "input": {"fields": _FLAT | {"item_id": "post_id", "event_type": "action", "value": "dwell_seconds"}},
        "events": {
            "types": _roles(
                learn="open, like, comment, share, save",
                exposure="impression, scroll_past",
                negative="hide, report, not_interested",
                ignore="unlike, unsave, follow, unfollow, compose",
            )
        },
    },
}
"""Settings by preset: sections, as the settings file would hold them."""


def beneath(preset: str, values: dict[str, Any]) -> dict[str, Any]:
    """Lay a preset beneath what the settings file says; KeyError for a name that is no preset."""
    return _merged(PRESETS[preset], values)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result
