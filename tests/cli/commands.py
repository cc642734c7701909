"""What the tests of the command line share: names, the result of a command, what is in a folder."""

from dataclasses import dataclass
from pathlib import Path

BANDS = ("u", "g", "r", "i", "Z", "Y", "J", "H", "Ks")
MODEL = "kids-mass-sfr"
YESTERDAY = b"what stood here before"


@dataclass(frozen=True)
class Result:
    """What a command said and how it ended."""

    status: int
    out: str
    err: str

    @property
    def complaint(self) -> list[str]:
        """Lines on stderr."""
        return self.err.splitlines()


def everything(folder: Path) -> dict[str, bytes]:
    """Every file and folder below, hidden ones too, with what is in them."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"a folder"
        for path in sorted(folder.rglob("*"))
    }
