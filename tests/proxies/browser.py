"""A person's browser, as far as signing in needs one: cookies by host, redirects, forms."""

from __future__ import annotations

import html
import http.client
import re
import time
from urllib.parse import urlencode, urljoin, urlsplit

import http1
from messages import NAVIGATION, Answer, Front, Headers, Request

MOST_REDIRECTS = 40
REFRESH = re.compile(rb'<meta http-equiv="refresh" content="(\d+);url=([^"]*)">')
PROVIDER = "127.0.0.1"


class Browser:
    """All hosts are at one proxy, whatever the port; 127.0.0.1 is the provider."""

    def __init__(self, front: Front):
        self.front = front
        self.cookies: dict[str, dict[str, str]] = {}

    def cookie_header(self, host: str) -> Headers:
        jar = self.cookies.get(host, {})
        return [("Cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))] if jar else []

    def load(self, url: str, form: dict[str, str] | None = None) -> tuple[str, Answer]:
        """Navigates, following redirects and pages that go on by themselves; where it ends."""
        for _ in range(MOST_REDIRECTS):
            answer = self._once(url, form)
            self._keep(urlsplit(url).hostname, answer)
            goes_on = REFRESH.search(answer.body)
            if answer.status in (301, 302, 303, 307, 308):
                url, form = urljoin(url, answer.one("Location")), None
            elif goes_on:
                # A page that waits for the provider, on a slow machine.
                time.sleep(int(goes_on[1]))
                url, form = urljoin(url, html.unescape(goes_on[2].decode())), None
            else:
                return url, answer
        raise RuntimeError(f"redirected without end, last to {url}")

    def submit(self, url: str, page: Answer, **fields: str) -> tuple[str, Answer]:
        """Sends the first form of a page, with its hidden fields."""
        text = page.body.decode()
        form = re.search(r"<form[^>]*>.*?</form>", text, re.S)[0]
        inputs = [dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in re.findall(r"<input[^>]*>", form)]
        values = {tag["name"]: html.unescape(tag.get("value", "")) for tag in inputs if tag.get("type") == "hidden"}
        action = html.unescape(re.search(r'action="([^"]*)"', form)[1])
        return self.load(urljoin(url, action), values | fields)

    def sign_in(self, url: str, person: str, page_after: str | None = None) -> None:
        """Opens a page of an application as nobody, and lands there (or on another page) as this person."""
        at, page = self.load(url)
        if urlsplit(at).hostname == PROVIDER:
            at, page = self.submit(at, page, username=person, password=f"{person}-demo")
        if at != (page_after or url) or page.status != 200:
            raise RuntimeError(f"{person} did not get to {page_after or url}, but to {at} ({page.status}):\n{page.body[:2000]!r}")

    def _once(self, url: str, form: dict[str, str] | None) -> Answer:
        parts = urlsplit(url)
        body = urlencode(form).encode() if form is not None else b""
        method = "GET" if form is None else "POST"
        headers = [*NAVIGATION, *self.cookie_header(parts.hostname)]
        if form is not None:
            origin = f"{parts.scheme}://{parts.netloc}"
            headers += [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", origin)]
            headers = [(name, "same-origin" if name == "Sec-Fetch-Site" else value) for name, value in headers]
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        if parts.hostname != PROVIDER:
            return http1.ask(self.front, Request(target, method, headers, body, server=parts.hostname), [])
        connection = http.client.HTTPSConnection(parts.netloc, timeout=30, context=self.front.tls("http/1.1"))
        connection.request(method, target, body or None, dict(headers))
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())

    def _keep(self, host: str, answer: Answer) -> None:
        jar = self.cookies.setdefault(host, {})
        for line in answer.all("Set-Cookie"):
            pair, *attributes = (part.strip() for part in line.split(";"))
            name, _, value = pair.partition("=")
            if any(attribute.lower() == "max-age=0" for attribute in attributes):
                jar.pop(name, None)
            else:
                jar[name] = value
