"""Name what a built page would fetch from another machine when it is read."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FETCHED = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "input": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "track": "src",
    "video": "src",
}
NOT_FETCHED = {"canonical", "next", "prev", "license", "author"}  # `rel` of links that only tell
REMOTE = ("http:", "https:", "//")


class _Page(HTMLParser):
    """Collects the addresses that a page has fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one tag."""
        values = {name: value or "" for name, value in attrs}
        address = values.get(FETCHED.get(tag, ""), "").strip()
        told = tag == "link" and set(values.get("rel", "").split()) <= NOT_FETCHED
        if address.lower().startswith(REMOTE) and not told:
            self.found.append(address)
        self.found += [
            word.split()[0]
            for word in values.get("srcset", "").split(",")
            if word.strip().lower().startswith(REMOTE)
        ]
        self.found += styles(values.get("style", ""))
        self.style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        """Leave a tag."""
        self.style = False

    def handle_data(self, data: str) -> None:
        """Look at text, where it is a style sheet."""
        if self.style:
            self.found += styles(data)


def styles(sheet: str) -> list[str]:
    """Return the remote addresses that a style sheet has fetched: fonts, images, other sheets."""
    parts = sheet.replace("@import", "url(").split("url(")[1:]
    addresses = [part.strip().lstrip("(\"'").partition(")")[0].strip("\"' ;") for part in parts]
    return [address for address in addresses if address.lower().startswith(REMOTE)]


def page(html: str) -> list[str]:
    """Return the remote addresses that a page has fetched when it is opened."""
    parser = _Page()
    parser.feed(html)
    parser.close()
    return parser.found


def site(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file of a built site with a remote address that it has fetched."""
    for kind, look in (("html", page), ("css", styles)):
        for path in sorted(folder.rglob(f"*.{kind}")):
            for address in look(path.read_text("utf-8")):
                yield path.relative_to(folder), address


def setup(app: "Sphinx") -> dict[str, bool]:
    """Look at a site after it is built."""
    from sphinx.util import logging

    def look(app: "Sphinx", failure: Exception | None) -> None:
        if failure is None:
            for path, address in site(Path(app.outdir)):
                logging.getLogger(__name__).warning("%s fetches %s", path, address)

    app.connect("build-finished", look)
    return {"parallel_read_safe": True}
