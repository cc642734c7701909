"""The one polite client of archives' servers: one request at a time, a pause between two, a bounded number of tries.

An answer is taken only when it is whole and understood: a length that falls short, a page of HTML in place of a file
or of JSON, is asked for again as a server's error is. A file is written beside its name, as NAME.part, and takes its
name when its content checks out; what there is of it is kept when the run ends, and the rest asked for (HTTP's Range).
By the standard library alone, which has all of this; what astroquery does instead is told in docs/sdss-data.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TypeVar
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import galprism
from galprism.data.tables.writing import to_disk
from galprism.errors import GalprismError, RequestError

T = TypeVar("T")
USER_AGENT = f"galprism/{galprism.__version__} (a library for astronomers; one request at a time)"
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Statuses that may be others the next time."""
BEYOND_END = 416
CHUNK_BYTES = 2**16
MOST_OF_ERROR = 4000
"""Bytes of an error's page that are read."""


class Unavailable(GalprismError):
    """What was asked for did not come; the message says why."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        """final : the server says that it has none, so that asking again is of no use."""
        super().__init__(why)
        self.final = final


class Unsound(Exception):
    """An answer came that is not what was asked for."""


class _Passing(Exception):
    """A failure that may be over at the next try; `wait` : seconds that the server asks for, `down` : it is the server
    that fails, and not the one answer."""

    def __init__(self, why: str, wait: float | None = None, down: bool = True) -> None:
        super().__init__(why)
        self.wait, self.down = wait, down


@dataclass(frozen=True)
class Manners:
    """How a server is treated. Raises RequestError for numbers that make no sense."""

    pause: float = 1.0
    """Seconds between the end of one request and the next."""
    timeout: float = 60.0
    """Seconds without a byte, after which a try is over."""
    tries: int = 5
    """Of one request."""
    backoff: float = 2.0
    """Seconds before the second try; twice as long before each further one."""
    longest_wait: float = 300.0
    """Seconds: a server that asks for more (Retry-After) is left alone for the rest of the run."""
    failures: int = 3
    """Requests in a row that a server failed at in every try, after which it is left alone for the rest of the run."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), {"pause": 0, "backoff": 0, "timeout": 1e-3}.get(field.name, 1)
            if not least <= value < float("inf"):
                raise RequestError(f"{field.name} = {value}; accepted: {least:g} or more")


class Client:
    """Asks servers, one request at a time. `sleep` is how it waits, in seconds."""

    def __init__(self, manners: Manners | None = None, sleep: Callable[[float], object] = time.sleep) -> None:
        self.manners, self._sleep = manners or Manners(), sleep
        self.requests = 0
        """Sent so far."""
        self.given_up = 0
        """Requests that failed in every try, and may not the next time."""
        self.closed: dict[str, str] = {}
        """Servers that are left alone for the rest of the run, and why."""
        self._failures: dict[str, int] = {}
        self._ended = -float("inf")

    def get(
        self, url: str, understand: Callable[[bytes], T], refusal: Callable[[bytes], str | None] = lambda body: None
    ) -> T:
        """What `understand` makes of the answer; it raises Unsound where that is not what was asked for.

        refusal : makes a sentence of an error's page that tells why it is of no use to ask again, else None

        Raises Unavailable where no such answer comes.
        """

        def once() -> T:
            with self._answer(url, 0, refusal) as answer:
                body = b"".join(_chunks(answer))
                _check_length(answer, len(body))
            return understand(body)

        return self._tried(url, once)

    def download(
        self,
        url: str,
        path: Path,
        check: Callable[[Path], object],
        glance: Callable[[Path], object] | None = None,
    ) -> None:
        """The file at `path`, fetched where it is not there; `check` raises Unsound where a file is not sound.

        glance : a quicker check of a file that has its name already, and was checked when it took it

        Raises Unavailable where it does not come.
        """
        part = path.with_name(f"{path.name}.part")
        if sound(path, glance or check):
            return
        if sound(part, check):  # all was there when a run was ended
            os.replace(part, path)
            return
        path.parent.mkdir(parents=True, exist_ok=True)

        def once() -> None:
            try:
                self._fill(url, part)
                check(part)
            except Unsound:
                part.unlink(missing_ok=True)
                raise
            to_disk(part)
            os.replace(part, path)

        self._tried(url, once)

    def _fill(self, url: str, part: Path) -> None:
        """Fetch what is lacking of a file."""
        have = part.stat().st_size if part.exists() else 0
        with self._answer(url, have) as answer:
            start = _start(answer)
            if start not in (0, have):
                raise Unsound(f"sent bytes from {start} on, not from {have} on as asked")
            with open(part, "ab" if start else "wb") as file:
                for chunk in _chunks(answer):
                    file.write(chunk)
                got = file.tell()
            _check_length(answer, got - start)

    def _answer(self, url: str, have: int, refusal: Callable[[bytes], str | None] = lambda body: None) -> HTTPResponse:
        """The answer to one request for what comes after the first `have` bytes, its body not read yet."""
        headers = {"User-Agent": USER_AGENT} | ({"Range": f"bytes={have}-"} if have else {})
        self.requests += 1
        try:
            return urlopen(Request(url, headers=headers), timeout=self.manners.timeout)
        except HTTPError as error:
            with error:
                why, told = f"{error.code} {error.reason}", refusal(_page(error))
            if have and error.code == BEYOND_END:
                raise Unsound(f"has no more than {have:,} bytes, and they are not the file") from error
            if told or error.code not in PASSING:
                raise Unavailable(told or why, final=True) from error
            raise _Passing(why, _retry_after(error.headers.get("Retry-After"))) from error
        except (OSError, HTTPException) as error:
            raise _Passing(f"cannot be reached: {getattr(error, 'reason', None) or error!r}") from error

    def _tried(self, url: str, once: Callable[[], T]) -> T:
        """What `once` gives, in as many tries as are granted. Raises Unavailable."""
        server, wait, why, down = urlsplit(url).netloc, self.manners.backoff, "", False
        if server in self.closed:
            raise Unavailable(f"not asked: {server} {self.closed[server]}")
        for attempt in range(self.manners.tries):
            since = self.manners.pause - (time.monotonic() - self._ended)
            if since > 0:
                self._sleep(since)
            asked_for = None
            try:
                given = once()
            except Unavailable:
                self._failures[server] = 0
                raise
            except Unsound as error:
                why, down = str(error), False
            except _Passing as error:
                why, down, asked_for = str(error), error.down, error.wait
            else:
                self._failures[server] = 0
                return given
            finally:
                self._ended = time.monotonic()
            if asked_for is not None and asked_for > self.manners.longest_wait:
                self.closed[server] = f"asks to be left alone for {asked_for:.0f} s ({why})"
                break
            if attempt + 1 < self.manners.tries:
                if (pause := max(wait, asked_for or 0.0)) > 0:
                    self._sleep(pause)
                wait *= 2
        if down:
            self._failures[server] = self._failures.get(server, 0) + 1
            if self._failures[server] >= self.manners.failures:
                times = "once" if self.manners.failures == 1 else f"{self.manners.failures} times in a row"
                self.closed.setdefault(server, f"did not answer {times} ({why})")
        self.given_up += 1
        raise Unavailable(f"{server}: {why}, after {attempt + 1} {'tries' if attempt else 'try'}")


def _chunks(answer: HTTPResponse) -> Iterator[bytes]:
    """The body. Raises _Passing where the connection ends early or says nothing for too long."""
    while True:
        try:
            chunk = answer.read(CHUNK_BYTES)
        except (OSError, HTTPException) as error:
            raise _Passing(f"the connection broke off: {error or type(error).__name__}") from error
        if not chunk:
            return
        yield chunk


def _check_length(answer: HTTPResponse, got: int) -> None:
    """Raises _Passing where fewer bytes came than were announced."""
    announced = answer.headers.get("Content-Length")
    if announced is not None and got != int(announced):
        raise _Passing(f"ended after {got:,} of {int(announced):,} bytes", down=False)


def sound(path: Path, check: Callable[[Path], object]) -> bool:
    """Whether a file is there, and passes a check that raises Unsound."""
    if not path.exists():
        return False
    try:
        check(path)
    except Unsound:
        return False
    return True


def _start(answer: HTTPResponse) -> int:
    """The byte that an answer begins with: what Content-Range says of a part of a file."""
    if answer.status != 206:
        return 0
    words = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")
    return int(words[0]) if words[0].isdigit() else -1


def _page(error: HTTPError) -> bytes:
    """What an error says beside its status, as far as it comes."""
    try:
        return error.read(MOST_OF_ERROR)
    except (OSError, HTTPException):
        return b""


def _retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After, which may be a date; None where there is none, or it is neither."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
