"""No verb replaces what it reads."""

import pytest
from commands import everything

from galprism.data.tables import write_table


@pytest.fixture
def mine(tmp_path, columns, catalogue):
    """A catalogue, which is a truth and its predictions too; one in a folder that looks like a report; a spectrum."""
    catalogue(columns, "cat.csv", unit=None)
    for name in ("report", "sp"):
        (tmp_path / name).mkdir()
        write_table(tmp_path / name / "cat.fits", {"id": columns["id"], "redshift": columns["redshift"]})
    (tmp_path / "report" / "metrics.json").write_text('{"kind": "galprism report"}')
    (tmp_path / "bundle.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("fit kids-mass-sfr {0}/cat.csv -o {0}/cat.csv", "is what is read"),
        ("fit library {0}/sp -o {0}/sp/cat.fits --method full-spectrum", "all of which is read"),
        ("fit library {0}/sp -o {0}/cat.csv --redshift {0}/cat.csv --method full-spectrum", "is what is read"),
        ("evaluate {0}/cat.csv --truth {0}/report/cat.fits -o {0}/report", "which is read"),
        ("evaluate p={0}/report/cat.fits --truth {0}/cat.csv -o {0}/report --force", "which is read"),
        ("train sdss-redshift labels.catalogue={0}/report/cat.fits -o {0}/report", "which is read"),
        ("mock kids-mass-sfr noise.catalogue={0}/cat.csv -o {0}/cat.csv", "is what is read"),
        ("pictures {0}/a.png {0}/metrics.png -o {0}/a.png", "is what is read"),
        ("cutouts {0}/cat.csv --image r=r.fits -o {0}/a.h5 --photometry --catalogue {0}/cat.csv", "is what is read"),
    ],
)
def test_what_is_read_stays(mine, refused, command, said):
    (mine / "a.png").write_bytes(b"a picture")
    before = everything(mine)
    assert said in refused(command.format(mine).split())
    assert everything(mine) == before
