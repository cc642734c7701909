"""SkyServer, SDSS's catalogue, asked in SQL: its answers as rows, kept on disk.

`SearchTools/SqlSearch` of its web service gives JSON: a list of tables, the first of which has the answer in `Rows`.
Ids of 20 digits may stand there as decimals, 299492975510054912.0, and keep all of them here. A data release does not
change, so that an answer once given is never asked for again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from galprism.archives.client import Client, Unavailable, Unsound
from galprism.data.tables.writing import write_whole

PATH = "dr17/SkyServerWS/SearchTools/SqlSearch"
LONGEST = 1900
"""Characters of an address; some servers between here and there cut longer ones off at 2,048."""
OF_THE_QUERY = ("syntax", "invalid column", "invalid object", "could not be bound", "not allowed", "ambiguous")
"""Words of errors that stand in the query, so that asking again is of no use."""
DIGITS = 15
"""That a float holds."""
Row = dict[str, Any]
"""What SkyServer says of one object, by column; None where it has no value."""


class SkyServer:
    """SkyServer at an address; `folder` is where its answers are kept."""

    def __init__(self, client: Client, url: str, folder: Path) -> None:
        self.client, self.url, self.folder = client, f"{url}/{PATH}", folder

    def rows(self, sql: str) -> list[Row]:
        """The rows that a query gives. Raises Unavailable where SkyServer does not answer, or refuses the query."""
        address = self._address(sql)
        path = self.folder / f"{hashlib.sha256(address.encode()).hexdigest()[:24]}.json"
        if path.exists():
            try:
                return understood(path.read_bytes())
            except Unsound:  # half a file, of a disk that was full
                path.unlink()
        rows = self.client.get(address, understood, refusal)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps([{"sql": sql, "Rows": rows}]).encode())
        return rows

    def batches(self, sql: str, conditions: Sequence[str]) -> list[tuple[str, list[int]]]:
        """Queries that ask for all of `conditions`, a query for as many as its address has room for, each with the
        indices of those that are in it; `sql` is what stands before them."""
        found: list[tuple[str, list[int]]] = []
        for i, condition in enumerate(conditions):
            longer = f"{found[-1][0]} OR {condition}" if found else ""
            if found and len(self._address(longer)) <= LONGEST:
                found[-1] = longer, [*found[-1][1], i]
            else:
                found.append((f"{sql} {condition}", [i]))
        return found

    def _address(self, sql: str) -> str:
        return f"{self.url}?{urlencode({'cmd': sql, 'format': 'json'}, safe='(),*=.')}"


def understood(body: bytes) -> list[Row]:
    """The rows of an answer. Raises Unsound where it is none."""
    try:
        tables = json.loads(body, parse_float=_exact)
    except ValueError as error:
        raise Unsound(f"answered {_start(body)!r} in place of JSON") from error
    if isinstance(tables, list) and tables and isinstance(tables[0], dict) and isinstance(tables[0].get("Rows"), list):
        return tables[0]["Rows"]
    if told := _message(tables):
        if _of_the_query(told):
            raise Unavailable(f"SkyServer refused the query: {told}", final=True)
        raise Unsound(f"answered: {told}")
    raise Unsound(f"answered {_start(body)!r} in place of a table")


def refusal(body: bytes) -> str | None:
    """What is wrong with the query, where an error's page says so."""
    try:
        told = _message(json.loads(body))
    except ValueError:
        told = _start(body, 400)
    return f"SkyServer refused the query: {told}" if told and _of_the_query(told) else None


def _exact(text: str) -> float | int:
    """A number; a whole one of more digits than a float holds stays whole."""
    return int(text[:-2]) if text.endswith(".0") and len(text) > DIGITS else float(text)


def _message(answer: Any) -> str:
    """Under whichever of its names an error's message stands."""
    if not isinstance(answer, dict):
        return ""
    return " ".join(str(answer.get("error_message") or answer.get("ErrorMessage") or "").split())


def _of_the_query(told: str) -> bool:
    return any(word in told.lower() for word in OF_THE_QUERY)


def _start(body: bytes, most: int = 60) -> str:
    return " ".join(body[:most].decode(errors="replace").split())
