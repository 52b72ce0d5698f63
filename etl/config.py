"""The configuration `meantime.toml`, checked: an error names the key, the value and the choices."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from etl import annotation, brand, calendars, links, saved_view, sources, target
from etl.annotation import Annotation, AnnotationError
from etl.brand import Brand, BrandError
from etl.calendars import CalendarError, Calendars
from etl.incident import CHANNELS, EXCLUSIONS, HOLD_REASONS, PRIORITIES, STATES
from etl.links import LinkError, Links
from etl.pull import Access, Secret
from etl.reading import ReadError, check_delimiter, check_encoding
from etl.saved_view import SavedView, SavedViewError
from etl.shaping import nearest
from etl.sources import Options
from etl.stamps import StampError, check_format, check_zone
from etl.target import Target, TargetError


class ConfigError(Exception):
    """A configuration or an option that cannot be used; the message names the key and what it may be."""


DEFAULT_REJECTED_SHARE = 0.01

TOP_KEYS = (
    "timezone",
    "locale",
    "keep_raw",
    "sources",
    "calendars",
    "calendar_rules",
    "annotations",
    "links",
    "targets",
    "views",
    "brand",
)
SOURCE_KEYS = (
    "kind",
    "files",
    "url",
    "token",
    "timezone",
    "date_format",
    "delimiter",
    "encoding",
    "null_marks",
    "as_of",
    "fields",
    "status",
    "priority",
    "channel",
    "hold_reason",
    "excluded",
    "automation",
    "map",
    "full_export",
    "first_contact_hours",
    "max_rejected_share",
    "max_age_hours",
    "sample",
    "user",
    "password",
    "client_id",
    "client_secret",
    "ca_file",
    "proxy",
    "timeout_seconds",
    "requests_per_minute",
    "filter",
    "since",
    "overlap_minutes",
    "sweep_hours",
)
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|\d{3}))?")
"""A language, perhaps a script, perhaps a region."""
_NAME = re.compile(r"\w[\w .-]{0,63}")
"""A source's name is a folder in the archive, too."""
SECRET_KEYS = ("token", "password", "client_secret")


@dataclass(frozen=True)
class Source:
    """One configured source."""

    name: str
    kind: str
    options: Options
    files: tuple[str, ...] = ()
    folder: Path = Path()
    as_of: datetime | None = None
    full_export: bool = False
    first_contact_hours: float | None = None
    max_rejected_share: float = DEFAULT_REJECTED_SHARE
    max_age_hours: float | None = None
    """How old its data may be before the dashboard's `/healthz` complains; None: however old."""
    is_sample: bool = False
    access: Access | None = None
    """How its tool is reached; None if it is only read from files."""

    def paths(self) -> list[Path]:
        """Find the export files that the patterns name now, each once, in order of name.

        Raises:
            ConfigError: a pattern matches nothing.
        """
        found: dict[Path, None] = {}
        for pattern in self.files:
            matches = (
                sorted(Path(pattern).parent.glob(Path(pattern).name))
                if Path(pattern).is_absolute()
                else sorted(self.folder.glob(pattern))
            )
            if not matches:
                raise ConfigError(f"[sources.{self.name}] files: nothing matches '{pattern}' in {self.folder}")
            found.update(dict.fromkeys(matches))
        return list(found)


@dataclass(frozen=True)
class Config:
    """The whole configuration."""

    timezone: str | None = None
    keep_raw: int | None = None
    """How many inputs per source the archive keeps; None keeps all."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    calendars: Calendars | None = None
    """None where there is no configuration: those that the warehouse has stay. A file that names none removes them."""
    annotations: tuple[Annotation, ...] | None = None
    """Known changes; None where there is no configuration: those that the warehouse has stay."""
    links: Links | None = None
    """Likewise."""
    targets: tuple[Target, ...] | None = None
    """Likewise."""
    locale: str | None = None
    """How the dashboard writes numbers and days; None leaves it to each reader's browser."""
    views: tuple[SavedView, ...] | None = None
    """Likewise."""
    brand: Brand = field(default_factory=Brand)
    """What the dashboard wears."""


def read(path: Path) -> Config:
    """Read the configuration file.

    Raises:
        ConfigError: it is missing, is no TOML, or a key or value is not understood.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: there is no configuration; write one, or try `meantime load FILE --as servicenow`"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}") from error
    return parse(given, path)


def parse(given: Mapping[str, Any], path: Path) -> Config:
    """Check a parsed configuration; `path` says where it came from, and files are relative to its folder."""
    _only(given, TOP_KEYS, str(path))
    zone = given.get("timezone")
    if zone is not None:
        _zone(zone, f"{path}: timezone")
    locale = given.get("locale")
    if locale is not None and not (isinstance(locale, str) and _LOCALE.fullmatch(locale)):
        raise ConfigError(
            f"{path}: locale is {locale!r}; it must be a language and perhaps a region, such as 'de', 'en-US' or 'pt-BR', or "
            "be left out to follow each reader's browser"
        )
    keep = given.get("keep_raw")
    if keep is not None and (not isinstance(keep, int) or isinstance(keep, bool) or keep < 1):
        raise ConfigError(f"{path}: keep_raw is {keep!r}; it must be a whole number from 1, or be left out to keep all")
    sections = given.get("sources", {})
    if not isinstance(sections, Mapping):
        raise ConfigError(f"{path}: sources must be tables, [sources.NAME]")
    return Config(
        zone,
        keep,
        {name: source(name, section, path.parent, f"{path}: [sources.{name}]") for name, section in sections.items()},
        _calendars(given, path),
        _annotations(given, path),
        _links(given, tuple(sections), path),
        _targets(given, path),
        locale=locale,
        views=_views(given, path),
        brand=_brand(given, path),
    )


def _calendars(given: Mapping[str, Any], path: Path) -> Calendars:
    try:
        return calendars.parse(given.get("calendars", {}), given.get("calendar_rules", []))
    except CalendarError as error:
        raise ConfigError(f"{path}: {error}") from error


def _annotations(given: Mapping[str, Any], path: Path) -> tuple[Annotation, ...]:
    try:
        return annotation.parse(given.get("annotations", []))
    except AnnotationError as error:
        raise ConfigError(f"{path}: {error}") from error


def _targets(given: Mapping[str, Any], path: Path) -> tuple[Target, ...]:
    try:
        return target.parse(given.get("targets", []))
    except TargetError as error:
        raise ConfigError(f"{path}: {error}") from error


def _views(given: Mapping[str, Any], path: Path) -> tuple[SavedView, ...]:
    try:
        return saved_view.parse(given.get("views", {}))
    except SavedViewError as error:
        raise ConfigError(f"{path}: {error}") from error


def _brand(given: Mapping[str, Any], path: Path) -> Brand:
    try:
        return brand.parse(given.get("brand", {}), path.parent)
    except BrandError as error:
        raise ConfigError(f"{path}: {error}") from error


def _links(given: Mapping[str, Any], names: tuple[str, ...], path: Path) -> Links:
    try:
        return links.parse(given.get("links", []), names)
    except LinkError as error:
        raise ConfigError(f"{path}: {error}") from error


def source(name: str, section: Any, folder: Path, where: str) -> Source:
    """Check what is said of one source.

    Args:
        name: its name, the column `source`.
        section: the keys and values.
        folder: what file names are relative to.
        where: where it was said, for messages.

    Raises:
        ConfigError: a key or a value is not understood.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{where} '{name}' cannot name a source: use letters, digits, blanks, '-', '_' and '.', at most 64, "
            "beginning with a letter or digit"
        )
    if not isinstance(section, Mapping):
        raise ConfigError(f"{where} must be a table")
    _only(section, SOURCE_KEYS, where)
    kind = section.get("kind")
    if kind not in sources.kinds():
        raise ConfigError(
            f"{where} kind is {kind!r}; it must be one of {', '.join(sources.kinds())}"
            f"{nearest(str(kind), sources.kinds())}"
        )
    for key in SECRET_KEYS:
        if key in section:
            _secret(section[key], f"{where} {key}")
    can_pull = hasattr(sources.source(kind), "fetch")
    if "url" in section and not can_pull:
        raise ConfigError(
            f"{where} url: kind '{kind}' reads files; give `files = [...]`. "
            f"Those that pull are {', '.join(sources.kinds_that_pull())}"
        )
    files = _texts(section, "files", 'file names or patterns, such as ["exports/*.csv"]', where)
    if not files and "url" not in section:
        raise ConfigError(
            f'{where} files must be a list of file names or patterns, such as ["exports/*.csv"]'
            + ("; or give the tool's address, url" if can_pull else "")
        )
    if "url" in section and section.get("full_export"):
        raise ConfigError(
            f"{where} full_export: a pull brings what changed; it is for sources that are read from files"
        )
    share = section.get("max_rejected_share", DEFAULT_REJECTED_SHARE)
    if not isinstance(share, (int, float)) or isinstance(share, bool) or not 0 <= share <= 1:
        raise ConfigError(f"{where} max_rejected_share is {share!r}; it must lie between 0 and 1")
    hours = section.get("first_contact_hours")
    if hours is not None and (not isinstance(hours, (int, float)) or isinstance(hours, bool) or hours <= 0):
        raise ConfigError(f"{where} first_contact_hours is {hours!r}; it must be a number of hours above 0")
    read_as = options(name, section, folder, where)
    if read_as.map is not None and kind != "table":
        raise ConfigError(
            f"{where} map is for kind 'table'; kind '{kind}' knows its columns, and `fields` names others"
        )
    return Source(
        name=name,
        kind=kind,
        options=read_as,
        files=files,
        folder=folder,
        as_of=instant(section["as_of"], f"{where} as_of") if "as_of" in section else None,
        full_export=_flag(section, "full_export", where),
        first_contact_hours=hours,
        max_rejected_share=float(share),
        max_age_hours=_amount(section, "max_age_hours", where),
        is_sample=_flag(section, "sample", where),
        access=_access(section, folder, where) if "url" in section else None,
    )


def _access(section: Mapping[str, Any], folder: Path, where: str) -> Access:
    """Check what a section says about reaching its tool."""
    for key in ("url", "user", "client_id", "proxy", "filter", "ca_file"):
        if key in section and (not isinstance(section[key], str) or not section[key].strip()):
            raise ConfigError(f"{where} {key} is {section[key]!r}; it must be a text")
    url = section["url"]
    if not re.match(r"https?://[^/\s]", url):
        raise ConfigError(f"{where} url is {url!r}; write it like https://desk.example.com")
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise ConfigError(f"{where} url holds a user name or password; name them with the keys `user` and `password`")
    secrets = {
        key: Secret(section[key].get("env"), folder / section[key]["file"] if "file" in section[key] else None)
        for key in SECRET_KEYS
        if key in section
    }
    return Access(
        url=url,
        user=section.get("user"),
        client_id=section.get("client_id"),
        ca_file=folder / section["ca_file"] if "ca_file" in section else None,
        proxy=section.get("proxy"),
        timeout_seconds=_amount(section, "timeout_seconds", where) or 60.0,
        requests_per_minute=_amount(section, "requests_per_minute", where),
        filter=section.get("filter"),
        since=instant(section["since"], f"{where} since") if "since" in section else None,
        overlap=timedelta(minutes=_amount(section, "overlap_minutes", where) or 15.0),
        sweep=timedelta(hours=_amount(section, "sweep_hours", where) or 24.0),
        **secrets,
    )


def _amount(section: Mapping[str, Any], key: str, where: str) -> float | None:
    value = section.get(key)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
        raise ConfigError(f"{where} {key} is {value!r}; it must be a number above 0")
    return float(value)


def options(name: str, section: Mapping[str, Any], folder: Path, where: str) -> Options:
    """Check what a section says about how its exports are read."""
    if "timezone" in section:
        _zone(section["timezone"], f"{where} timezone")
    _values(section, "status", STATES, where)
    _values(section, "priority", PRIORITIES, where)
    _values(section, "channel", CHANNELS, where)
    _values(section, "hold_reason", HOLD_REASONS, where)
    _values(section, "excluded", EXCLUSIONS, where)
    form = _form(section, where)
    given_map = section.get("map")
    if isinstance(given_map, str):
        given_map = read_map(folder / given_map)
    if given_map is not None:
        if not isinstance(given_map, Mapping):
            raise ConfigError(f"{where} map is {given_map!r}; it must be the name of a mapping file")
        given_map = {**given_map, **_form(given_map, f"{where} map:")}
    return Options(
        source=name,
        timezone=section.get("timezone"),
        date_format=form.get("date_format"),
        delimiter=form.get("delimiter"),
        encoding=form.get("encoding"),
        null_marks=_texts(section, "null_marks", 'texts that mean nothing, such as ["", "?"]', where, ("", "?")),
        fields=_fields(section, where),
        status=dict(section.get("status", {})),
        priority=dict(section.get("priority", {})),
        channel=dict(section.get("channel", {})),
        hold_reason=dict(section.get("hold_reason", {})),
        excluded=dict(section.get("excluded", {})),
        automation=_texts(section, "automation", 'user names, such as ["svc_*"]', where),
        map=given_map,
    )


def _form(told: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Check what is said about a file's form: how it is split, encoded and dated."""
    form: dict[str, Any] = {}
    try:
        for key, check in (("delimiter", check_delimiter), ("encoding", check_encoding)):
            if key in told:
                form[key] = check(str(told[key]), where)
        formats = told.get("date_format")
        if isinstance(formats, Mapping):
            form["date_format"] = {name: check_format(str(format_), where) for name, format_ in formats.items()}
        elif formats is not None:
            form["date_format"] = check_format(str(formats), where)
    except (ReadError, StampError) as error:
        raise ConfigError(str(error)) from error
    return form


def read_map(path: Path) -> dict[str, Any]:
    """Read a mapping file of kind `table`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such mapping file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}") from error


def instant(value: Any, where: str) -> datetime:
    """Read an as-of: a date or an instant; without an offset it is UTC. The result is naive UTC, whole seconds."""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{where} is {text!r}; write it like 2026-01-31T18:00:00Z") from error
    if stamp.tzinfo is not None:
        stamp = stamp.astimezone(UTC).replace(tzinfo=None)
    return stamp.replace(microsecond=0)


def _only(given: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in known:
            raise ConfigError(f"{where}: key '{key}' is not one of {', '.join(known)}{nearest(key, known)}")


def _zone(value: Any, where: str) -> None:
    try:
        check_zone(str(value))
    except StampError as error:
        raise ConfigError(f"{where}: {error}") from error


def _texts(
    section: Mapping[str, Any], key: str, what: str, where: str, otherwise: tuple[str, ...] = ()
) -> tuple[str, ...]:
    # A text is a sequence of texts, too: "svc_*" alone would be five names, the last of them everybody's.
    told = section.get(key, otherwise)
    if not isinstance(told, (list, tuple)) or not all(isinstance(text, str) for text in told):
        raise ConfigError(f"{where} {key} must be a list of {what}")
    return tuple(told)


def _fields(section: Mapping[str, Any], where: str) -> dict[str, str]:
    told = section.get("fields", {})
    if not isinstance(told, Mapping) or not all(isinstance(column, str) for column in told.values()):
        raise ConfigError(f"{where} fields must be a table of our column = the name of theirs")
    return dict(told)


def _flag(section: Mapping[str, Any], key: str, where: str) -> bool:
    value = section.get(key, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{where} {key} is {value!r}; it must be true or false")
    return value


def _values(section: Mapping[str, Any], key: str, choices: tuple[Any, ...], where: str) -> None:
    table = section.get(key, {})
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} {key} must be a table of their word = our word")
    for word, value in table.items():
        if value not in choices:
            raise ConfigError(
                f"{where} {key}: {word!r} is mapped to {value!r}, which is not one of "
                f"{', '.join(map(str, choices))}{nearest(str(value), [str(choice) for choice in choices])}"
            )


def _secret(value: Any, where: str) -> None:
    if not isinstance(value, Mapping) or set(value) not in ({"env"}, {"file"}):
        raise ConfigError(
            f"{where}: a secret may not stand in the configuration; "
            'name where it is: { env = "VARIABLE" } or { file = "path" }'
        )
