"""The client: one answer at a time, with authentication, patience, pace, and an error a person can act on.

What is retried: a lost or refused connection, a timeout, 408, 425, 429 and every 5xx. The wait is what the tool asks
for (`Retry-After` in seconds or as a date, `X-RateLimit-Reset`), else it grows from one second with jitter; there is a
cap on both. A 401 in the middle logs in anew once: OAuth gets another token, a token's file or variable is read again.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urljoin, urlsplit

from etl import lazily
from etl.pull.access import Access, Mask, PullError, Secret, Tell

if TYPE_CHECKING:
    import httpx
    import stamina
else:
    httpx = lazily.module("httpx")
    stamina = lazily.module("stamina")

RETRIED = frozenset({408, 425, 429})
AGENT = "meantime"
SHOWN = 300
"""Characters of an unexpected answer that an error shows."""

Complaint = Callable[[Any], str | None]
"""Looks at a document of a 200 and gives the error that it tells, or None."""


@dataclass(frozen=True)
class Patience:
    """How often and how long the client tries again, in seconds."""

    attempts: int = 8
    wait_first: float = 1.0
    wait_most: float = 60.0
    jitter: float = 1.0
    asked_most: float = 900.0
    """The longest wait that a tool may ask for; past it the pull stops, and the next run continues it."""


class Answer(NamedTuple):
    """A good answer."""

    document: Any
    headers: httpx.Headers
    request: str
    """Method and address, without secrets."""
    status: int = 200


class Authentication(Protocol):
    """Puts what proves who we are into a request."""

    def headers(self, client: Client) -> Mapping[str, str]:
        """Give the headers of the next request."""

    def renew(self, client: Client) -> bool:
        """Get another proof after a 401; False if there is none to get."""


@dataclass
class Token:
    """A token in a header: `Token("Authorization", "token {}")`."""

    header: str = "Authorization"
    form: str = "Bearer {}"
    _value: str | None = None

    def headers(self, client: Client) -> Mapping[str, str]:
        """Give the header."""
        if self._value is None:
            client.access.needs("token")
            self._value = client.secret(client.access.token)
        return {self.header: self.form.format(self._value)}

    def renew(self, client: Client) -> bool:
        """Read the secret again: somebody may have replaced it while the pull ran."""
        before, self._value = self._value, None
        self.headers(client)
        return self._value != before


@dataclass
class Basic:
    """User and password. `user` is a form such as "{}/token"; without a user in the section `fallback_user` is it."""

    user: str = "{}"
    secret: str = "password"  # noqa: S105 (the name of a key)
    """The key of the section that holds the secret: password or token."""
    fallback_user: str | None = None
    _value: str | None = None

    def headers(self, client: Client) -> Mapping[str, str]:
        """Give the header."""
        if self._value is None:
            client.access.needs(*(("user",) if self.fallback_user is None else ()), self.secret)
            name = self.user.format(client.access.user or self.fallback_user)
            secret = client.secret(getattr(client.access, self.secret), name)
            self._value = httpx.BasicAuth(name, secret)._auth_header
        return {"Authorization": self._value}

    def renew(self, client: Client) -> bool:
        """Read the secret again."""
        before, self._value = self._value, None
        self.headers(client)
        return self._value != before


@dataclass
class OAuth:
    """OAuth 2.0 client credentials (RFC 6749, 4.4): `client_id` and `client_secret` for a token that expires."""

    path: str
    """Address of the token endpoint, relative to the tool's address or whole."""
    scope: str | None = None
    early: float = 30.0
    """Seconds before its expiry from which a token counts as expired."""
    _value: str | None = None
    _until: float = 0.0
    _refresh: str | None = None

    def headers(self, client: Client) -> Mapping[str, str]:
        """Give the header, with a new token if the old one is about to expire."""
        if self._value is None or time.monotonic() >= self._until:
            self._log_in(client)
        return {"Authorization": f"Bearer {self._value}"}

    def renew(self, client: Client) -> bool:
        """Get another token."""
        self._log_in(client)
        return True

    def _log_in(self, client: Client) -> None:
        client.access.needs("client_id", "client_secret")
        who = {"client_id": client.access.client_id, "client_secret": client.secret(client.access.client_secret)}
        wanted = {"grant_type": "client_credentials", **({"scope": self.scope} if self.scope else {})}
        if self._refresh is not None:
            # A refresh token that has expired, too, is no reason to stop.
            refresh, self._refresh = self._refresh, None
            with contextlib.suppress(PullError):
                self._take(
                    client, client.form(self.path, {"grant_type": "refresh_token", "refresh_token": refresh, **who})
                )
                return
        self._take(client, client.form(self.path, {**wanted, **who}))

    def _take(self, client: Client, document: Any) -> None:
        if not isinstance(document, Mapping) or "access_token" not in document:
            raise client.error(f"{self.path} gave no access_token; check client_id and client_secret")
        self._value = client.mask.add(str(document["access_token"]))
        self._until = time.monotonic() + max(float(document.get("expires_in", 3600)) - self.early, 1.0)
        if "refresh_token" in document:
            self._refresh = client.mask.add(str(document["refresh_token"]))


@dataclass
class NoAuthentication:
    """For what everybody may read."""

    def headers(self, client: Client) -> Mapping[str, str]:
        """Give none."""
        return {}

    def renew(self, client: Client) -> bool:
        """There is nothing to renew."""
        return False


class _AgainError(Exception):
    """An answer that may be better next time."""

    def __init__(self, message: str, wait: float | None) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass
class Client:
    """Asks one tool. It may be used by several threads."""

    source: str
    access: Access
    authentication: Authentication = field(default_factory=NoAuthentication)
    complaint: Complaint | None = None
    accept: str = "application/json"
    patience: Patience = field(default_factory=Patience)
    transport: httpx.BaseTransport | None = None
    """What carries requests instead of the network, in tests."""
    tell: Tell = lambda _: None
    sleep: Callable[[float], None] = time.sleep
    mask: Mask = field(default_factory=Mask)
    server_time: datetime | None = None
    """The tool's own clock at its first answer, naive UTC; None if it does not say."""
    requests: int = 0
    waited_seconds: float = 0.0
    """Time spent waiting for answers, pauses that were asked for included."""
    _http: httpx.Client = field(init=False)
    _pace: _Pace = field(init=False)
    _renewing: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        address = urlsplit(self.access.url)
        if address.scheme not in ("http", "https") or not address.netloc:
            raise self.error(
                f"url '{self.mask(self.access.url)}' is no address; write it like https://desk.example.com"
            )
        self._pace = _Pace(self.access.requests_per_minute, self.sleep)
        # We tell of each retry ourselves, without secrets.
        stamina.instrumentation.set_on_retry_hooks([])
        try:
            self._http = httpx.Client(
                base_url=self.access.url.rstrip("/") + "/",
                timeout=self.access.timeout_seconds,
                verify=self._trust(),
                proxy=self.access.proxy,
                transport=self.transport,
                headers={"User-Agent": AGENT, "Accept": self.accept},
                follow_redirects=False,
            )
        except (ValueError, httpx.InvalidURL) as error:
            raise self.error(f"url or proxy cannot be used ({self.mask(str(error))})") from error

    def _trust(self) -> ssl.SSLContext | bool:
        if self.access.ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=str(self.access.ca_file))
        except (OSError, ssl.SSLError) as error:
            raise self.error(f"ca_file {self.access.ca_file} cannot be used ({error})") from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def error(self, message: str) -> PullError:
        """Make an error that names the source and holds no secret."""
        return PullError(self.mask(f"{self.source}: {message}"))

    def secret(self, secret: Secret | None, user: str | None = None) -> str:
        """Read a secret; from now on it is masked."""
        try:
            return self.mask.add(secret.read() if secret is not None else "", user)
        except PullError as error:
            raise self.error(str(error)) from error

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        missing: bool = False,
        forbidden: bool = False,
    ) -> Answer:
        """Ask for a document.

        Args:
            path: relative to the tool's address, or whole (a link that the tool gave; it must lead to the same host).
            params: of the query; a list gives the key several times.
            missing: a 404 or 410 is an answer, too: its document is None.
            forbidden: so is a 403.

        Raises:
            PullError: no usable answer; the message says what to do.
        """
        allowed = (*((404, 410) if missing else ()), *((403,) if forbidden else ()))
        return self._ask("GET", path, params=params, allowed=allowed)

    def post(self, path: str, document: Any, params: Mapping[str, Any] | None = None) -> Answer:
        """Ask by sending a document; only for requests that change nothing, since it may be sent again."""
        return self._ask("POST", path, params=params, document=document)

    def form(self, path: str, values: Mapping[str, Any]) -> Any:
        """Log in by sending a form, without authentication."""
        return self._ask("POST", path, form=values, authenticated=False).document

    def _ask(self, method: str, path: str, **how: Any) -> Answer:
        address = self._address(path)
        patience = self.patience
        try:
            for attempt in stamina.retry_context(
                on=self._wait,
                attempts=patience.attempts,
                timeout=None,
                wait_initial=patience.wait_first,
                wait_max=patience.wait_most,
                wait_jitter=patience.jitter,
            ):
                with attempt:
                    return self._once(method, address, **how)
        except (_AgainError, httpx.TransportError) as error:
            raise self._lost(error, f"{method} {address}") from error
        raise AssertionError("unreachable")

    def _wait(self, error: Exception) -> bool | float:
        """Decide whether, and after how many seconds, to try again."""
        if isinstance(error, _AgainError):
            if error.wait is not None and error.wait > self.patience.asked_most:
                return False
            self.tell(f"{self.source}: {self.mask(str(error))}; trying again")
            return True if error.wait is None else error.wait
        if isinstance(error, httpx.TransportError) and not _is_lasting(error):
            host = urlsplit(self.access.url).netloc
            self.tell(f"{self.source}: {host}: {self.mask(_said(error))}; trying again")
            return True
        return False

    def _once(
        self,
        method: str,
        address: str,
        *,
        params: Mapping[str, Any] | None = None,
        document: Any = None,
        form: Mapping[str, Any] | None = None,
        allowed: tuple[int, ...] = (),
        authenticated: bool = True,
    ) -> Answer:
        for is_second in (False, True):
            self._pace.wait()
            given = self.authentication.headers(self) if authenticated else {}
            began = time.monotonic()
            try:
                answer = self._http.request(
                    method,
                    address,
                    # httpx takes an empty mapping for "no query", and drops the one that a link has.
                    params={key: value for key, value in params.items() if value is not None} if params else None,
                    json=document,
                    data=form,
                    headers=given,
                )
            finally:
                self.requests += 1
                self.waited_seconds += time.monotonic() - began
            # httpx ties the stream to its answer, in a circle that would keep every page in memory.
            answer.stream = httpx.ByteStream(b"")
            if self.server_time is None:
                self.server_time = _date(answer.headers.get("Date"))
            if answer.status_code == 401 and authenticated and not is_second and self._renew(given):
                continue
            return self._judged(answer, allowed)
        raise AssertionError("unreachable")

    def _renew(self, given: Mapping[str, str]) -> bool:
        with self._renewing:
            # Another thread may have logged in meanwhile.
            if self.authentication.headers(self) != given:
                return True
            return self.authentication.renew(self)

    def _judged(self, answer: httpx.Response, allowed: tuple[int, ...]) -> Answer:
        request = self.mask(f"{answer.request.method} {answer.request.url}")
        status = answer.status_code
        if status in RETRIED or status >= 500:
            raise _AgainError(f"{request} gave {status} {answer.reason_phrase}", _asked_wait(answer.headers, status))
        if status in allowed:
            return Answer(None, answer.headers, request, status)
        self._pace.heed(answer.headers, self.patience.asked_most)
        if status == 401:
            raise self.error(f"{request} gave 401: the tool does not accept the token or password; check it")
        if status == 403:
            raise self.error(
                f"{request} gave 403: this user may not read that; {_shown(answer.text) or 'check its rights'}"
            )
        if 300 <= status < 400:
            where = answer.headers.get("Location", "")
            hint = "a login page: check the token" if "login" in where.lower() else "check the address"
            raise self.error(f"{request} leads to {where or 'somewhere else'} ({status}); {hint} in `url`")
        if _is_html(answer):
            title = re.search(r"<title[^>]*>(.*?)</title>", answer.text, re.IGNORECASE | re.DOTALL)
            named = f" titled '{' '.join(title[1].split())[:80]}'" if title else ""
            raise self.error(
                f"{request} gave a web page{named} ({status}) instead of data: a proxy or a login stands between, "
                "or `url` is not the tool's; check `url`, `proxy` and the token"
            )
        if status == 404:
            raise self.error(f"{request} gave 404: the tool has no such address; check `url`")
        if status >= 400:
            raise self.error(
                f"{request} gave {status} {answer.reason_phrase}: {_shown(answer.text) or 'it does not say why'}"
            )
        try:
            found = json.loads(answer.content) if answer.content.strip() else None
        except ValueError as error:
            if "charset" in answer.headers.get("Content-Type", ""):
                with contextlib.suppress(ValueError):
                    return Answer(json.loads(answer.text), answer.headers, request)
            # A cut-off answer may come whole next time.
            raise _AgainError(f"{request} gave what is no JSON ({error}): {_shown(answer.text)}", None) from error
        said = (self.complaint or complaint)(found)
        if said is not None:
            raise self.error(f"{request} gave 200, but tells an error: {_shown(said)}")
        return Answer(found, answer.headers, request)

    def _address(self, path: str) -> str:
        whole = urljoin(self.access.url.rstrip("/") + "/", path)
        ours, theirs = urlsplit(self.access.url), urlsplit(whole)
        if (ours.hostname, ours.port or ours.scheme) != (theirs.hostname, theirs.port or theirs.scheme):
            raise self.error(
                f"the tool sends us to {theirs.scheme}://{theirs.netloc}, which is not the address in `url`; "
                "the token is not given to another host"
            )
        return whole

    def _lost(self, error: Exception, request: str) -> PullError:
        said = self.mask(_said(error))
        if isinstance(error, _AgainError):
            if error.wait is not None and error.wait > self.patience.asked_most:
                return self.error(f"{said} and asks to wait {error.wait:.0f} s; the next run continues from here")
            return self.error(f"{said}, {self.patience.attempts} times; the next run continues from here")
        host = urlsplit(self.access.url).netloc
        if isinstance(error, httpx.ProxyError):
            return self.error(f"the proxy does not let us through to {host} ({said}); check `proxy`")
        if "certificate" in said.lower():
            return self.error(
                f"{host} has a certificate that cannot be trusted ({said}); have it renewed, or name its authority "
                "with `ca_file`"
            )
        if isinstance(error, httpx.TimeoutException):
            return self.error(f"{host} does not answer in time ({request}); the next run continues from here")
        return self.error(f"{host} cannot be reached ({said}); check `url`, `proxy` and the network")


@dataclass
class _Pace:
    """Keeps within a budget of requests a minute, and stops where the tool says that nothing is left."""

    per_minute: float | None
    sleep: Callable[[float], None]
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            pause = self._next - now
            if self.per_minute:
                self._next = max(now, self._next) + 60 / self.per_minute
        if pause > 0:
            self.sleep(pause)

    def heed(self, headers: httpx.Headers, most: float) -> None:
        remaining = next((headers[name] for name in _headers("remaining") if name in headers), None)
        if remaining is None or not re.fullmatch(r"\s*0+(\.0*)?\s*", remaining):
            return
        wait = _reset(headers)
        if wait is not None and wait > 0:
            with self._lock:
                self._next = max(self._next, time.monotonic() + min(wait, most))


def _headers(name: str) -> tuple[str, ...]:
    return f"X-RateLimit-{name}", f"RateLimit-{name}", f"X-Rate-Limit-{name}"


def _reset(headers: httpx.Headers) -> float | None:
    """Seconds until the budget is full again: told as such, as a Unix time in seconds or milliseconds, or as a date."""
    value = next((headers[name] for name in _headers("reset") if name in headers), None)
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        stamp = _date(value)
        return None if stamp is None else (stamp - _now(headers)).total_seconds()
    if number > 1e11:
        number /= 1000
    if number > 1e9:
        return number - _now(headers).replace(tzinfo=UTC).timestamp()
    return number


def _now(headers: httpx.Headers) -> datetime:
    """The tool's own clock, so that a difference to ours does not matter."""
    return _date(headers.get("Date")) or datetime.now(UTC).replace(tzinfo=None)


def _asked_wait(headers: httpx.Headers, status: int) -> float | None:
    asked = headers.get("Retry-After")
    if asked is not None:
        try:
            return max(float(asked), 0.0)
        except ValueError:
            stamp = _date(asked)
            if stamp is not None:
                return max((stamp - _now(headers)).total_seconds(), 0.0)
    reset = _reset(headers) if status == 429 else None
    return max(reset, 0.0) if reset is not None else None


def _date(text: str | None) -> datetime | None:
    """Read an HTTP date, or an ISO one, as naive UTC whole seconds."""
    if not text:
        return None
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            stamp = read(text.strip())
        except (ValueError, TypeError):
            continue
        if stamp.tzinfo is not None:
            stamp = stamp.astimezone(UTC).replace(tzinfo=None)
        return stamp.replace(microsecond=0)
    return None


def _is_html(answer: httpx.Response) -> bool:
    kind = answer.headers.get("Content-Type", "").lower()
    return "html" in kind or answer.content[:200].lstrip()[:1] == b"<"


def complaint(document: Any) -> str | None:
    """Find an error in a document that came with 200: an object whose `error` or `errors` say something."""
    if not isinstance(document, Mapping):
        return None
    for key in ("error", "errors", "errorMessages", "error_message"):
        found = document.get(key)
        if found:
            return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    return None


def _is_lasting(error: httpx.TransportError) -> bool:
    """Whether trying again cannot help."""
    said = str(error).lower()
    return (
        isinstance(error, (httpx.UnsupportedProtocol, httpx.ProxyError))
        or "certificate" in said
        or "name or service" in said
    )


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."


@contextlib.contextmanager
def closing(client: Client) -> Iterator[Client]:
    """Close the client at the end of a block."""
    try:
        yield client
    finally:
        client.close()
