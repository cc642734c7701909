"""One HTML page with everything in it: no script, no style sheet, font or picture from anywhere else."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1d2329; --soft: #5a6672; --paper: #ffffff; --line: #d5dbe1; --tint: #f3f6f9;
  --accent: #0059a0; --good: #06714a; --bad: #b3400a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ed; --soft: #a2adb8; --paper: #14181d; --line: #36404a;
  --tint: #1d232a; --accent: #7bbcf5; --good: #5fcf9f; --bad: #ff9a63; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 76rem; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; padding-top: .6rem; border-top: 1px solid var(--line); }
p, li { max-width: 54rem; } p.soft, figcaption, caption, footer { color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .9rem; margin: 1rem 0; } a { color: var(--accent); }
aside { background: var(--tint); border-left: 4px solid var(--accent); padding: .6rem 1rem; margin: 1rem 0; }
aside p { margin: .3rem 0; }
.scroll { overflow-x: auto; margin: .8rem 0 1.4rem; }
table { border-collapse: collapse; font-size: .78rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .3rem; font-weight: 600; }
th, td { padding: .26rem .38rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 0; }
thead th { border-bottom: 2px solid var(--line); color: var(--soft); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 600; position: sticky; left: 0; background: var(--paper); }
@media (max-width: 40rem) { tbody th { white-space: normal; min-width: 6.5rem; } }
.t { text-align: left; } .w { white-space: normal; min-width: 14rem; max-width: 38rem; }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
figure { margin: 1.2rem 0 2rem; } figure img { display: block; width: 100%; max-width: 60rem; height: auto;
  background: #fff; border-radius: 4px; }
figcaption { font-size: .86rem; max-width: 54rem; margin-top: .5rem; } figcaption strong { color: var(--ink); }
details { margin: .8rem 0; } summary { cursor: pointer; color: var(--accent); }
pre { background: var(--tint); padding: .8rem 1rem; overflow-x: auto; font-size: .8rem; line-height: 1.45; }
code { font-size: .92em; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .6rem; font-size: .82rem; }
@media print { :root { --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --tint: #f4f4f4; --accent: #000;
  --good: #06714a; --bad: #b3400a; } body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  figure, tr, aside { break-inside: avoid; } h2 { break-after: avoid; } .scroll { overflow: visible; }
  table { font-size: 6.8pt; } th, td { padding: .12rem .3rem; white-space: normal; } pre { white-space: pre-wrap; } }
"""


@dataclass(frozen=True)
class Section:
    """A heading and the HTML below it."""

    title: str
    body: tuple[str, ...]


def page(title: str, lead: Sequence[str], sections: Sequence[Section], footer: str) -> str:
    """A whole HTML 5 page. Titles and footer are text; `lead` and the sections' bodies are HTML."""
    filled = [section for section in sections if any(section.body)]
    links = "".join(f'<a href="#{_anchor(section.title)}">{escape(section.title)}</a>' for section in filled)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style></head><body>",
        f"<header><h1>{escape(title)}</h1>",
        *lead,
        f'<nav aria-label="sections">{links}</nav></header>' if len(filled) > 1 else "</header>",
        "<main>",
    ]
    for section in filled:
        parts.append(f'<section id="{_anchor(section.title)}"><h2>{escape(section.title)}</h2>')
        parts += [part for part in section.body if part]
        parts.append("</section>")
    parts += ["</main>", f"<footer>{escape(footer)}</footer>", "</body></html>"]
    return "\n".join(parts) + "\n"


def paragraph(text: str, kind: str = "") -> str:
    """Text as a paragraph."""
    return f"<p{f' class={kind!r}' if kind else ''}>{escape(text)}</p>"


def bullets(lines: Sequence[str]) -> str:
    """Text lines as a list; nothing when there is none."""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def picture(png: bytes, title: str, caption: str) -> str:
    """A figure inside the page."""
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<figure><img alt="{escape(title, quote=True)}" src="data:image/png;base64,{data}">\n'
        f"<figcaption><strong>{escape(title)}.</strong> {escape(caption)}</figcaption></figure>"
    )


def preformatted(text: str) -> str:
    """Text as it stands."""
    return f"<pre><code>{escape(text)}</code></pre>"


def folded(title: str, body: str) -> str:
    """HTML that opens on a click; nothing when there is none."""
    return f"<details><summary>{escape(title)}</summary>\n{body}\n</details>" if body else ""


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
