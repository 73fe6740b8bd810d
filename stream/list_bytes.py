"""The items of many lists as JSON, written by one compiled loop into one buffer.

Ten items with two reasons each are a hundred small objects, and to make them and walk them again takes longer than
finding the items did. So lists stay columns until they are text. Each id is quoted and escaped once, however many lists
name it; numbers are written from integers, a score in millionths, in plain decimals.

What is written is the field `items` of `recommendations.Recommendation`, and reads back as that.
"""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from stream.kernels import kernel

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

_SCORE_DIGITS, _SHARE_DIGITS = 6, 3
_WHOLE = 10**_SCORE_DIGITS


def _text(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)


_ITEM, _RANK, _SCORE, _REASONS = _text('{"item_id":'), _text(',"rank":'), _text(',"score":'), _text(',"reasons":[')
_EXPERT, _WEIGHT, _BECAUSE = _text('{"expert":'), _text(',"weight":'), _text(',"because":[')
_END = _text("]}")
_OPEN, _CLOSE, _COMMA, _POINT, _ZERO = (ord(sign) for sign in "[],.0")
_ITEM_ROOM = len(_ITEM) + len(_RANK) + len(_SCORE) + len(_REASONS) + 32  # with numbers, brackets and commas
_REASON_ROOM = len(_EXPERT) + len(_WEIGHT) + len(_BECAUSE) + 16


class Texts:
    """Strings as JSON, one after the other."""

    def __init__(self, strings: Sequence[str]) -> None:
        encode = msgspec.json.Encoder().encode
        parts = [encode(string) for string in strings]
        self.bytes = np.frombuffer(b"".join(parts), np.uint8)
        self.starts = np.concatenate([[0], np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)))])

    def room(self, used: Rows) -> int:
        """How many bytes the strings `used` take, those of -1 none."""
        return int(np.diff(self.starts)[used[used >= 0]].sum())


def write_items(
    rows: Rows,
    lengths: Rows,
    scores: Floats,
    sources: Rows,
    shares: Floats,
    because: Rows,
    names: Texts,
    id_of: Callable[[int], str],
) -> tuple[list[bytes], npt.NDArray[np.float64]]:
    """Write B lists; return the JSON of each, and what is left of 1 when its scores are taken away (B,).

    Parameters
    ----------
    rows, scores
        Items, best first, -1 behind the last, and their probabilities (B, K).
    lengths
        How many of these are sent at most (B,).
    sources, shares
        Up to R reasons of an item, the first -1 ends them: places in `names`, and shares (B, K, R).
    because
        What a reason stands on: item rows or -1 (B, K, R, 2).
    names
        Of the sources.
    id_of
        Gives the id of an item row.
    """
    used, inverse = np.unique(np.concatenate([rows.ravel(), because.ravel()]), return_inverse=True)
    nothing = int(np.searchsorted(used, 0))  # -1, where there is one, comes first
    ids = Texts([id_of(row) for row in used[nothing:].tolist()])
    places: Rows = (inverse.ravel() - nothing).astype(np.int32)
    listed, cited = places[: rows.size].reshape(rows.shape), places[rows.size :].reshape(because.shape)
    room = ids.room(places) + names.room(sources) + 2 * len(rows)
    room += _ITEM_ROOM * rows.size + _REASON_ROOM * sources.size + because.size
    buffer = np.empty(room, np.uint8)
    ends, rests = _write(
        buffer, listed, lengths, scores, sources, shares, cited, ids.bytes, ids.starts, names.bytes, names.starts
    )
    whole, stops = buffer[: ends[-1]].tobytes(), ends.tolist()
    return [whole[start:stop] for start, stop in zip([0, *stops[:-1]], stops, strict=True)], rests


@kernel
def _write(buffer, rows, lengths, scores, sources, shares, because, ids, id_starts, names, name_starts):  # type: ignore[no-untyped-def]
    ends = np.empty(len(rows), np.int64)
    rests = np.zeros(len(rows))
    at = 0
    for b in range(len(rows)):
        at = _sign(buffer, at, _OPEN)
        rest, count = _WHOLE, 0
        for c in range(min(lengths[b], rows.shape[1])):
            item = rows[b, c]
            if item < 0:
                continue
            score = np.int64(np.rint(np.float64(scores[b, c]) * _WHOLE))
            rest -= score
            at = at if count == 0 else _sign(buffer, at, _COMMA)
            count += 1
            at = _copy(buffer, at, _ITEM)
            at = _copy(buffer, at, ids[id_starts[item] : id_starts[item + 1]])
            at = _copy(buffer, at, _RANK)
            at = _digits(buffer, at, c + 1, 1)
            at = _copy(buffer, at, _SCORE)
            at = _decimal(buffer, at, score, _SCORE_DIGITS)
            at = _copy(buffer, at, _REASONS)
            for n in range(sources.shape[2]):
                source = sources[b, c, n]
                if source < 0:
                    break
                at = at if n == 0 else _sign(buffer, at, _COMMA)
                at = _copy(buffer, at, _EXPERT)
                at = _copy(buffer, at, names[name_starts[source] : name_starts[source + 1]])
                at = _copy(buffer, at, _WEIGHT)
                share = np.int64(np.rint(np.float64(shares[b, c, n]) * 10**_SHARE_DIGITS))
                at = _decimal(buffer, at, share, _SHARE_DIGITS)
                at = _copy(buffer, at, _BECAUSE)
                at = _cite(buffer, at, because[b, c, n], ids, id_starts)
                at = _copy(buffer, at, _END)
            at = _copy(buffer, at, _END)
        at = _sign(buffer, at, _CLOSE)
        ends[b] = at
        rests[b] = max(rest, 0) / _WHOLE if count else 0.0
    return ends, rests


@kernel
def _cite(buffer, at, items, ids, id_starts):  # type: ignore[no-untyped-def]
    """Write the distinct ones of two items."""
    for n in range(len(items)):
        item = items[n]
        if item < 0 or (n > 0 and item == items[0]):
            continue
        at = at if n == 0 or items[0] < 0 else _sign(buffer, at, _COMMA)
        at = _copy(buffer, at, ids[id_starts[item] : id_starts[item + 1]])
    return at


@kernel
def _sign(buffer, at, sign):  # type: ignore[no-untyped-def]
    buffer[at] = sign
    return at + 1


@kernel
def _copy(buffer, at, text):  # type: ignore[no-untyped-def]
    for n in range(len(text)):
        buffer[at + n] = text[n]
    return at + len(text)


@kernel
def _digits(buffer, at, number, least):  # type: ignore[no-untyped-def]
    """Write a whole number in at least so many digits."""
    count, rest = 1, number // 10
    while rest > 0 or count < least:
        count += 1
        rest //= 10
    for n in range(count):
        buffer[at + count - 1 - n] = _ZERO + number % 10
        number //= 10
    return at + count


@kernel
def _decimal(buffer, at, number, digits):  # type: ignore[no-untyped-def]
    """Write `number` / 10^digits without needless zeros, but always with a point."""
    at = _digits(buffer, at, number // 10**digits, 1)
    at = _sign(buffer, at, _POINT)
    at = _digits(buffer, at, number % 10**digits, digits)
    while buffer[at - 1] == _ZERO and buffer[at - 2] != _POINT:
        at -= 1
    return at
