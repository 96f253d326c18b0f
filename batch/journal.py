"""The journal of a batch: an SQLite file with the state of each clip, safe against kill -9 and power loss."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from ..core.errors import CaptureError, readable
from ..core.files import is_own_folder
from .rows import as_number, as_text, checked

#: format of the table; increase it when its text changes: a journal of another version is refused
VERSION = 3
#: id of the application in the file's header ("KNLF"), by which another program's database is refused
_APPLICATION = 0x4B4E4C46
#: pragmas that read `VERSION` and `_APPLICATION` from the header
_HEADER = ("user_version", "application_id")
#: what SQLite may put beside the file, by what it adds to the name; the file itself comes last
_PARTS = ("-journal", "-shm", "-wal", "")
#: bytes of the largest journal that is read: of some hundred thousand clips
_LARGEST = 1 << 30
#: bytes of the largest row
_LARGEST_ROW = 1 << 24
#: SQLite's errors that say what the system doesn't let it do; the others say that the file is damaged
_REFUSALS = (
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_PROTOCOL,
)  # fmt: skip
#: states of a clip
State = Literal["failed", "running", "queued", "done"]
#: in the order of a report: what needs attention comes first
STATES: tuple[State, ...] = get_args(State)

_TABLE = f"""
CREATE TABLE clips (
    name TEXT PRIMARY KEY,          -- of the results: relative to the output folder, without ending
    clip TEXT NOT NULL,             -- the input
    input_hash TEXT,                -- SHA-256 of the input's content at the last attempt
    settings TEXT NOT NULL,         -- JSON
    settings_hash TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN {STATES}),
    reason TEXT,                    -- why it failed
    attempts INTEGER NOT NULL DEFAULT 0,
    completions INTEGER NOT NULL DEFAULT 0,   -- how often it became done in all
    queued REAL, started REAL, ended REAL,    -- seconds since 1970
    frames INTEGER, fps REAL,
    detected REAL, confidence REAL, -- quality: share of frames with the person, mean confidence of the joints
    memory REAL,                    -- MB, peak of its largest process
    strip TEXT,                     -- quality over time, an SVG element
    warnings TEXT,                  -- JSON list
    others TEXT,                    -- JSON list: quality and warnings of further people, as an object each
    files TEXT,                     -- JSON: size by name, of the results
    staged TEXT                     -- JSON: files and their folder in staging, until they are in place
)
"""


@dataclass(frozen=True)
class Seen:
    """How well one person of a clip was captured, and what to say of them; fields as in the journal."""

    detected: float | None
    confidence: float | None
    strip: str | None = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    """What a job has made of a clip.

    Attributes
    ----------
    folder : str
        Folder of the files, in the staging folder; they are moved from there to their places.
    files : dict
        Sizes by name, bytes; a name is that of the clip with an ending.
    frames, fps, detected, confidence
        As in the journal.
    memory : float
        Peak of the largest process, MB.
    strip : str
        Quality over time, an SVG element.
    warnings : tuple of str
    others : tuple of Seen
        People after the first one, in the order of their numbers.
    """

    folder: str
    files: Mapping[str, int]
    frames: int
    fps: float
    detected: float
    confidence: float
    memory: float = 0.0
    strip: str = ""
    warnings: tuple[str, ...] = ()
    others: tuple[Seen, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One clip in the journal: a row of the table."""

    name: str
    clip: str
    settings_hash: str
    state: State
    input_hash: str | None = None
    reason: str | None = None
    attempts: int = 0
    completions: int = 0
    started: float | None = None
    ended: float | None = None
    frames: int | None = None
    fps: float | None = None
    detected: float | None = None
    confidence: float | None = None
    memory: float | None = None
    strip: str | None = None
    warnings: tuple[str, ...] = ()
    others: tuple[Seen, ...] = ()
    files: Mapping[str, int] = field(default_factory=dict)
    staged: Mapping[str, Any] | None = None


#: columns to select for an `Entry`
_COLUMNS = ", ".join(f.name for f in fields(Entry))


class DamagedError(CaptureError):
    """A journal isn't what this module writes."""


class Journal:
    """The journal of an output folder, locked by one batch until it closes it or its process ends.

    One that isn't what a batch writes, in any way, is renamed, and a new one takes its place.

    Parameters
    ----------
    path : Path
        The file; created if it doesn't exist.
    read_only : bool
        Change nothing and lock nothing; a file that doesn't exist, or is damaged, has no clips.

    Raises
    ------
    CaptureError
        If another batch has locked it, another program or version wrote it, it can't be written or its
        folder isn't one of its own.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self._path = path
        #: what the artist should know about the file, sentences; mostly empty
        self.notice = ""
        try:
            self._db = self._opened(read_only, read_only and not os.path.lexists(path))
        except DamagedError as error:
            self.notice = str(error)
            if not read_only:
                self.notice += f" It is {self._set_aside()} now."
            self._db = self._opened(read_only, read_only)
        self._file = self._identity()

    def _opened(self, read_only: bool, in_memory: bool) -> sqlite3.Connection:
        """The database, checked; one without clips if it is new or `in_memory`."""
        with self._as_sentences():
            folder = self._path.parent
            if os.path.lexists(folder) and not is_own_folder(folder):
                raise CaptureError(
                    f"{folder} must be a folder, and no link: move it away, or give another --out."
                )
            if in_memory:
                db = sqlite3.connect(":memory:", isolation_level=None)
            else:
                self._check_files()
                if not read_only:
                    folder.mkdir(parents=True, exist_ok=True)
                uri = f"{self._path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
                db = sqlite3.connect(uri, uri=True, timeout=1.0, isolation_level=None)
        try:
            with self._as_sentences():
                self._check_or_create(db, read_only and not in_memory)
        except BaseException:
            db.close()
            raise
        return db

    def _check_files(self) -> None:
        """Have SQLite open plain files only: none on which it waits, or for which it deletes others."""
        for part in _PARTS:
            file = self._path.with_name(self._path.name + part)
            try:
                found = file.lstat()
            except FileNotFoundError:
                continue
            if not stat.S_ISREG(found.st_mode):
                raise self._damaged(f"{file.name} isn't a plain file")
            if found.st_size > _LARGEST:
                raise self._damaged(f"{file.name} is too large")
            if part == "-journal":  # not made here, and SQLite deletes a file that it names
                raise self._damaged(f"{file.name} lies beside it")

    def _check_or_create(self, db: sqlite3.Connection, read_only: bool) -> None:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_ROW)
        if not read_only:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
        version, application = (db.execute(f"PRAGMA {p}").fetchone()[0] for p in _HEADER)
        schema = _schema(db)
        if (version, application, schema) == (0, 0, []):
            if read_only:
                raise self._damaged("it is empty")
            _make_durable(db)
            db.execute("BEGIN IMMEDIATE")
            db.execute(_TABLE)
            db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute("COMMIT")
            return
        if application != _APPLICATION:
            raise CaptureError(
                f"{self._path} is another program's database: move it away, or give another --out."
            )
        if version != VERSION:
            raise CaptureError(
                f"The journal {self._path} was written by another version of Kinelift (format {version}, "
                f"this one has {VERSION}): take that version, or move the journal away and all clips are "
                "made again."
            )
        if schema != _our_schema():  # no triggers, views and computed columns either, which would act
            raise self._damaged("its tables are others")
        if (said := db.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise self._damaged(said)
        for row in db.execute(f"SELECT {_COLUMNS} FROM clips"):
            _entry(row)
        if not read_only:
            _make_durable(db)

    def _set_aside(self) -> str:
        """Rename the file and those of SQLite beside it; return its new name."""
        with self._as_sentences():
            for number in itertools.count(1):
                aside = self._path.with_stem(f"{self._path.stem}.damaged-{number}")
                if not any(os.path.lexists(f"{aside}{part}") for part in _PARTS):
                    break
            for part in _PARTS:
                if os.path.lexists(f"{self._path}{part}"):
                    Path(f"{self._path}{part}").rename(f"{aside}{part}")
        return aside.name

    def _identity(self) -> tuple[int, int]:
        """What tells the file from another one of the same name."""
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return (0, 0)
        return (found.st_dev, found.st_ino)

    @property
    def in_place(self) -> bool:
        """Whether the file is where it was opened: nobody removed it, its folder or the output folder."""
        with self._as_sentences():
            return self._identity() == self._file

    @contextmanager
    def _as_sentences(self) -> Iterator[None]:
        """Turn errors of SQLite and of the file system into a `CaptureError`."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF  # without the details
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise CaptureError(
                    f"Another batch is at work in {self._path.parent.parent}: wait for its end, or give "
                    "another --out."
                ) from error
            if code in _REFUSALS:
                raise CaptureError(
                    f"Can't write {self._path}: {error}. Choose a folder that can be written and has room."
                ) from error
            raise self._damaged(str(error)) from error
        except (ValueError, RecursionError) as error:  # of `checked`
            raise self._damaged(str(error)) from error
        except OSError as error:
            raise CaptureError(
                f"Can't write {self._path}: {error.strerror or error}. Choose a folder that can be written."
            ) from error

    def _damaged(self, how: str) -> DamagedError:
        how = readable(how)[:200]
        return DamagedError(
            f"The journal {self._path} is damaged ({how}): a batch sets it aside and makes all clips again; "
            "what is done already stays until then."
        )

    def close(self) -> None:
        """Close the file, so that another batch can open it."""
        self._db.close()

    def entries(self) -> list[Entry]:
        """All clips, by name."""
        with self._as_sentences():
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM clips ORDER BY name").fetchall()
            return [_entry(row) for row in rows]

    def entry(self, name: str) -> Entry | None:
        """One clip."""
        with self._as_sentences():
            row = self._db.execute(f"SELECT {_COLUMNS} FROM clips WHERE name = ?", (name,)).fetchone()
            return _entry(row) if row else None

    def queue(self, name: str, clip: Path, settings: Mapping[str, Any], settings_hash: str) -> None:
        """Queue a clip; what the journal has of an earlier result stays until there is a new one."""
        self._write(
            """INSERT INTO clips (name, clip, settings, settings_hash, state, queued)
            VALUES (:name, :clip, :settings, :hash, 'queued', :now)
            ON CONFLICT (name) DO UPDATE SET clip = :clip, settings = :settings, settings_hash = :hash,
                state = 'queued', reason = NULL, queued = :now, attempts = 0, staged = NULL""",
            {
                "name": name,
                "clip": as_text(str(clip)),
                "settings": json.dumps(settings, sort_keys=True, default=str),
                "hash": settings_hash,
                "now": time.time(),
            },
        )

    def claim(self, name: str, input_hash: str) -> bool:
        """Begin a queued clip; False if it isn't queued."""
        return self._write(
            """UPDATE clips SET state = 'running', started = :now, ended = NULL, input_hash = :hash,
            attempts = attempts + 1 WHERE name = :name AND state = 'queued'""",
            {"name": name, "hash": input_hash, "now": time.time()},
        )

    def give_back(self, name: str) -> None:
        """Queue a begun clip again."""
        self._write(
            "UPDATE clips SET state = 'queued', started = NULL, staged = NULL "
            "WHERE name = :name AND state = 'running'",
            {"name": name},
        )

    def staged(self, name: str, made: Made) -> None:
        """Note that a clip is finished and only its files have to be moved."""
        self._write(
            """UPDATE clips SET staged = :staged, frames = :frames, fps = :fps, detected = :detected,
            confidence = :confidence, memory = :memory, strip = :strip, warnings = :warnings,
            others = :others WHERE name = :name AND state = 'running' AND staged IS NULL""",
            {
                "name": name,
                "staged": json.dumps({"folder": Path(made.folder).name, "files": dict(made.files)}),
                "warnings": json.dumps(list(made.warnings)),
                "others": json.dumps(
                    [
                        asdict(one)
                        | {key: as_number(getattr(one, key)) for key in ("detected", "confidence")}
                        for one in made.others
                    ]
                ),
                "frames": made.frames,
                "strip": made.strip,
                **{key: as_number(getattr(made, key)) for key in ("fps", "detected", "confidence", "memory")},
            },
        )

    def done(self, name: str, files: Mapping[str, int]) -> None:
        """Note that a clip's files are in their places."""
        self._write(
            """UPDATE clips SET state = 'done', ended = :now, completions = completions + 1,
            files = :files, staged = NULL
            WHERE name = :name AND state = 'running' AND staged IS NOT NULL""",
            {"name": name, "now": time.time(), "files": json.dumps(dict(files))},
        )

    def failed(self, name: str, reason: str) -> None:
        """Note why a clip can't be made."""
        self._write(
            """UPDATE clips SET state = 'failed', reason = :reason, ended = :now, staged = NULL
            WHERE name = :name AND state IN ('queued', 'running')""",
            {"name": name, "reason": as_text(reason), "now": time.time()},
        )

    def _write(self, statement: str, values: Mapping[str, Any]) -> bool:
        """Run one statement as a transaction; whether it changed anything."""
        with self._as_sentences():
            return self._db.execute(statement, values).rowcount == 1


def _make_durable(db: sqlite3.Connection) -> None:
    """Have every transaction on the disk before it returns."""
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")


def _schema(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Everything that a database declares."""
    return db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()


def _our_schema() -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(_TABLE)
        return _schema(db)


def _entry(row: tuple[Any, ...]) -> Entry:
    values = checked(dict(zip((f.name for f in fields(Entry)), row, strict=True)))
    entry = Entry(**values | {"others": tuple(Seen(**one) for one in values["others"])})
    if entry.state not in STATES:  # SQLite has no constraints in a file that it only reads
        raise ValueError("the state of a clip is none")
    return entry
