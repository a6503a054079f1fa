"""A headless Chromium that tests can click in: its own debugging protocol, over two pipes."""

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FLAGS = (*QUIET, "--window-size=1600,1200", "--remote-debugging-pipe")
SECONDS = 30
# The smallest element that shows a text, among those that a user could point at.
FIND = """
(text => {
    const shown = [...document.querySelectorAll("body *")].filter(
        element => element.offsetParent && element.innerText?.trim() === text);
    const found = shown.at(-1);
    if (!found) return null;
    const box = found.getBoundingClientRect();
    return {x: box.x + box.width / 2, y: box.y + box.height / 2};
})
"""


@dataclass
class Page:
    """One open page.

    Attributes
    ----------
    write_to, read_from
        File descriptors of the pipes; messages are JSON that ends with a NUL byte.
    """

    write_to: int
    read_from: int
    session: str | None = None
    sent: int = 0
    received: bytes = field(default=b"", repr=False)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol and return its result."""
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_to, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self.sent:
            continue
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.received:
            ready, _, _ = select.select([self.read_from], [], [], SECONDS)
            assert ready, f"Chromium said nothing for {SECONDS} s"
            more = os.read(self.read_from, 1 << 16)
            assert more, "Chromium has ended"
            self.received += more
        message, _, self.received = self.received.partition(b"\0")
        return json.loads(message)

    def ask(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def text(self) -> str:
        """Return the text that the page shows."""
        return self.ask("document.body ? document.body.innerText : ''")

    def wait_for(self, text: str) -> str:
        """Wait until the page shows a text, and return all that it shows."""
        deadline = time.monotonic() + SECONDS
        while text not in (shown := self.text()):
            assert time.monotonic() < deadline, f"no {text!r} in:\n{shown}"
            time.sleep(0.1)
        return shown

    def click(self, text: str) -> None:
        """Wait for the element with exactly this text, and click on it with the mouse."""
        deadline, before = time.monotonic() + SECONDS, None
        # Twice at the same place: dialogs slide in.
        while (where := self.ask(f"{FIND}({json.dumps(text)})")) is None or where != before:
            assert time.monotonic() < deadline, f"no {text!r} to click on in:\n{self.text()}"
            before = where
            time.sleep(0.2)
        for event in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=event, button="left", clickCount=1, **where)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)


@contextmanager
def opened(address: str, profile: Path) -> Iterator[Page]:
    """Open an address in a browser of its own."""
    to_browser, from_browser = os.pipe(), os.pipe()
    inherited = (to_browser[0], from_browser[1])
    # Chromium reads from descriptor 3 and writes to 4.
    script = f'exec "$@" 3<&{inherited[0]} 4>&{inherited[1]}'
    command = ["bash", "-c", script, "chromium", str(CHROMIUM), *FLAGS]
    with (profile.parent / "chromium.log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}"],
            pass_fds=inherited,
            stdout=log,
            stderr=log,
        )
    for descriptor in inherited:
        os.close(descriptor)
    page = Page(to_browser[1], from_browser[0])
    try:
        target = page.call("Target.createTarget", url=address)["targetId"]
        page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        yield page
    finally:
        os.close(to_browser[1])  # Chromium ends when nobody is left to listen to
        os.close(from_browser[0])
        process.wait(SECONDS)
