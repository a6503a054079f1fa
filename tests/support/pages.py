"""HTML pages as a browser reads them."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Reads a page, holding every opened tag against its end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"{tag} closed out of turn"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append((self.tags[-1][1], data))
        elif data.strip() and self.open[-1] != "style":
            self.texts.append(" ".join(data.split()))

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def assert_self_contained(text: str) -> None:
    page = Page(text)
    links = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster", "background")
    ]
    assert all(link.startswith("data:image/png;base64,") for link in links)
    names = {tag for tag, _ in page.tags}
    assert not names & {"link", "iframe", "object", "embed", "base", "form"}
    for attributes in (attributes for _, attributes in page.tags):
        assert not [name for name in attributes if name.startswith("on")]
    assert_scripts_are_allowed(page)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style and "@import" not in style


def assert_scripts_are_allowed(page: Page) -> None:
    """Every script is data, or inside the page and named by its hash in the policy."""
    (policy,) = [
        meta["content"] for meta in page.of("meta") if meta.get("http-equiv", "").startswith("Cont")
    ]
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    assert "default-src 'none'" in policy
    assert not [word for word in ("unsafe-eval", "'self'", "https:", "nonce") if word in policy]
    assert "script-src 'unsafe" not in policy
    assert len(page.scripts) == len(page.of("script"))  # none is empty, none has a source
    run = []
    for attributes, text in page.scripts:
        if attributes.get("type") == "application/json":
            json.loads(text)
            continue
        assert not attributes
        run.append(base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii"))
    assert run == allowed
