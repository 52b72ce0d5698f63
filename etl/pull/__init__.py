"""The pull engine: everything that a connector needs to get records out of a tool, once.

**How to write a connector.** A source module that can pull has, beside what `etl/sources/__init__.py` asks for:

    REFERENCES = ("users",)         # streams in which others look things up; they are no rows themselves

    def whoami(pull: Pull) -> str:  # one cheap request that proves that the token is accepted; says as whom
        return _client(pull).get("users/me").document["name"]

    def fetch(pull: Pull) -> None:  # the only thing that knows the tool's addresses; only I/O, nothing is interpreted
        client = _client(pull)
        pull.keep("users", lambda start: by_page(client, "users", {}, "users", start=start))
        changed = {"updated_since": pull.since.isoformat() + "Z"} if pull.since else {}
        pull.keep("tickets", lambda start: by_offset(client, "tickets", changed, "tickets", start=start))
        ids = sorted({ticket["id"] for ticket in pull.kept("tickets")})
        pull.keep("history", lambda start: by_one(client, ids, lambda id_: (f"tickets/{id_}/log", {}),
                                                  lambda id_, answer: answer.document or [], start=start))

    def _client(pull: Pull) -> Client:
        return pull.client(Token("Authorization", "Bearer {}"))

- Each `keep` is a *stream*: a name and a strategy of `etl.pull.paging` (`by_offset`, `by_page`, `by_link`, `by_token`,
  `by_key`, `by_id`, `by_window`, `by_one`; or a generator of `Page` of your own). After a kill the same `fetch`
  runs again: complete streams are skipped, a broken one goes on after its last kept page. So the order of streams and
  their parameters may depend on `pull.since`, `pull.state`, `pull.as_of` and `pull.kept(...)`, and on nothing else.
- `pull.since` is the last published pull's `as_of` less the overlap (None the first time: everything). A cursor or a
  greatest id of the tool's own goes into `pull.carry(cursor=...)` and comes back as `pull.state["cursor"]`; it moves
  only when what was pulled is published.
- Records are kept as they came. Of a stream `s` the file path `open_streams` gives an `Export` with `export.stream ==
  "s"` and, for streams in `REFERENCES`, `export.beside["users"]` (lists of records): `prepare` builds the plan from
  these, `normalise` stays pure. Nested objects are columns with dotted names, lists are JSON text, as in a JSON export.
- A tool that tells no deletions is swept: `if pull.sweep_is_due:` compare the tool's ids with `pull.known()`, keep what
  the tool says of each missing one (404, another number) as a stream, and call `pull.swept()`. `normalise` makes it an
  event `deleted` or `merged`.
- `EXAMPLE_PULL` (stream -> list of records) is to a pull what `EXAMPLE` is to a file; the contract tests read it.
- Errors: raise `client.error("...")`; it names the source and hides secrets. The client itself detects 401, 403, web
  pages, redirects, certificates and 200s that tell an error (`complaint=` for a tool's own way of telling it).
- In tests give `Pull(..., transport=httpx.MockTransport(handler), patience=Patience(wait_first=0, jitter=0))`, or serve
  the stand-in on loopback.
"""

from etl.pull.access import Access, Mask, MissingKeyError, Note, PullError, Secret
from etl.pull.client import Answer, Basic, Client, NoAuthentication, OAuth, Patience, Token, complaint
from etl.pull.keeping import Pull, begin, open_streams
from etl.pull.paging import (
    Page,
    TooManyError,
    by_id,
    by_key,
    by_link,
    by_offset,
    by_one,
    by_page,
    by_token,
    by_window,
)

__all__ = [
    "Access",
    "Answer",
    "Basic",
    "Client",
    "Mask",
    "MissingKeyError",
    "NoAuthentication",
    "Note",
    "OAuth",
    "Page",
    "Patience",
    "Pull",
    "PullError",
    "Secret",
    "Token",
    "TooManyError",
    "begin",
    "by_id",
    "by_key",
    "by_link",
    "by_offset",
    "by_one",
    "by_page",
    "by_token",
    "by_window",
    "complaint",
    "open_streams",
]
