"""Maps of embeddings: the places, the figure, and the page that is looked into."""

import base64
import io
import json
import re

import matplotlib.image
import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.evaluate.embedding import METHODS, embedding
from galprism.evaluate.figures.maps import embedding_maps
from galprism.evaluate.map_page import SIDE, map_page

N = 60
RNG = np.random.default_rng(0)
KIND = np.where(np.arange(N) < 30, "one", "other")
ROWS = RNG.normal(size=(N, 8)) + np.where(KIND == "one", 0, 12)[:, None]
PLACES = {"UMAP": RNG.normal(size=(N, 2)), "t-SNE": RNG.normal(size=(N, 2)) * [3, 1]}
VALUES = {"redshift": np.linspace(0, 1, N), "class": KIND}


@pytest.mark.parametrize("method", METHODS)
def test_what_is_alike_lies_together(method):
    places = embedding(ROWS, method, seed=1)
    assert places.shape == (N, 2)
    far = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(N)
    assert (KIND[far.argmin(axis=1)] == KIND).all()


def test_the_same_seed_gives_the_same_places():
    np.testing.assert_array_equal(embedding(ROWS, "tsne", seed=3), embedding(ROWS, "tsne", seed=3))


def test_arrays_that_have_no_map():
    with pytest.raises(RequestError, match="'pca'; accepted: umap, tsne"):
        embedding(ROWS, "pca")
    with pytest.raises(RequestError, match=r"shape \(3, 8\)"):
        embedding(ROWS[:3])
    odd = ROWS.copy()
    odd[7, 2] = np.nan
    with pytest.raises(RequestError, match="1 rows are not finite, the first of them row 7"):
        embedding(odd)


def pixels(drawing):
    return matplotlib.image.imread(io.BytesIO(drawing.png))[..., :3]


def test_the_figure_is_the_same_again_and_shows_what_changed():
    first = embedding_maps("a", "title", PLACES, VALUES, "words")
    assert first.png == embedding_maps("a", "title", PLACES, VALUES, "words").png
    other = embedding_maps("a", "title", PLACES, VALUES | {"redshift": np.linspace(1, 0, N)}, "words")
    assert not np.array_equal(pixels(first), pixels(other))


def data_of(html):
    return json.loads(re.search(r'<script type="application/json" id="points">(.*?)</script>', html, re.S)[1])


def test_the_page_holds_every_source_and_asks_for_nothing():
    pictures = np.zeros((N, 8, 8, 3), np.uint8)
    pictures[np.arange(N), :, :, 0] = (4 * np.arange(N))[:, None, None]
    values = VALUES | {"rate": np.where(np.arange(N) == 5, np.nan, -1.5)}
    html = map_page("Maps <of> it", "lead", [f"</script>{i}" for i in range(N)], PLACES, values, pictures, "a & b")
    assert "http" not in html
    assert not re.search(r"<(link|iframe|img)\b|src=|@import|fetch\(|XMLHttpRequest", html)
    assert set(re.findall(r"url\((.{15})", html)) == {"data:image/jpeg"}
    assert html.count("</script>") == 2
    assert "a &amp; b" in html
    data = data_of(html)
    assert data["ids"] == [f"</script>{i}" for i in range(N)]
    for told, points in zip(data["maps"], PLACES.values(), strict=True):
        whole = np.array(told["places"]).reshape(N, 2)
        assert whole.min() >= 0
        assert whole.max() <= SIDE
        ratio = np.ptp(points, axis=0).max() / SIDE
        np.testing.assert_allclose((whole - whole[0]) * ratio, points - points[0], atol=2 * ratio)
    redshift, kind, rate = data["values"]
    np.testing.assert_allclose(redshift["values"], VALUES["redshift"], atol=1e-4)
    assert [kind["kinds"][k] for k in kind["values"]] == KIND.tolist()
    assert rate["values"][5] is None
    assert len(html) < 5e6


def test_pictures_stand_in_the_order_of_the_sources():
    pictures = np.zeros((N, 16, 16, 3), np.uint8)
    pictures[:] = (4 * np.arange(N))[:, None, None, None]
    html = map_page("t", "l", np.arange(N), PLACES, VALUES, pictures)
    sheet = data_of(html)["sheet"]
    jpeg = base64.b64decode(re.search(r"data:image/jpeg;base64,([^)]*)\)", html)[1])
    whole = matplotlib.image.imread(io.BytesIO(jpeg), format="jpeg")
    assert whole.shape == (16 * sheet["rows"], 16 * sheet["columns"], 3)
    for i in (0, 9, N - 1):
        x, y = 16 * (i % sheet["columns"]), 16 * (i // sheet["columns"])
        assert abs(int(whole[y + 8, x + 8, 0]) - 4 * i) < 6


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(RequestError, match=r"a map of 3 ids with \{'UMAP': 60"):
        map_page("t", "l", [1, 2, 3], PLACES, VALUES)
    with pytest.raises(RequestError, match="with nothing"):
        map_page("t", "l", np.arange(N), {}, VALUES)
