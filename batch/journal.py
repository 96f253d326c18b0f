"""The journal of a batch: an SQLite file with the state of each clip, safe against kill -9 and power loss."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from ..core.errors import CaptureError

#: format of the table; increase it when the table changes: a journal of another version is refused
VERSION = 2
#: id of the application in the file's header ("KNLF"), by which another program's database is refused
_APPLICATION = 0x4B4E4C46
#: pragmas that read `VERSION` and `_APPLICATION` from the header
_HEADER = ("user_version", "application_id")
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
    files TEXT,                     -- JSON: size by name, of the results
    staged TEXT                     -- JSON: files and their folder in staging, until they are in place
)
"""


@dataclass(frozen=True)
class Made:
    """What a job has made of a clip.

    Attributes
    ----------
    folder : str
        Folder of the files, which are moved from there to their places.
    files : dict
        Sizes by name, bytes.
    frames, fps, detected, confidence
        As in the journal.
    memory : float
        Peak of the largest process, MB.
    strip : str
        Quality over time, an SVG element.
    warnings : tuple of str
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
    files: Mapping[str, int] = field(default_factory=dict)
    staged: Mapping[str, Any] | None = None


#: columns to select for an `Entry`
_COLUMNS = ", ".join(f.name for f in fields(Entry))


class Journal:
    """The journal of an output folder, locked by one batch until it closes it or its process ends.

    Parameters
    ----------
    path : Path
        The file; created if it doesn't exist.
    read_only : bool
        Change nothing and lock nothing; the file must exist.

    Raises
    ------
    CaptureError
        If another batch has locked it, another version wrote it, it is damaged or it can't be written.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self._path = path
        with self._as_sentences():
            if read_only:
                self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=1.0)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        try:
            with self._as_sentences():
                self._open(read_only)
        except BaseException:
            self._db.close()
            raise

    def _open(self, read_only: bool) -> None:
        db = self._db
        if not read_only:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
        version, application = (db.execute(f"PRAGMA {p}").fetchone()[0] for p in _HEADER)
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not read_only and (version, application, tables) == (0, 0, 0):
            self._make_durable()
            db.execute("BEGIN IMMEDIATE")
            db.execute(_TABLE)
            db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute("COMMIT")
            return
        if application != _APPLICATION:
            raise sqlite3.DatabaseError("it is another program's")
        if version != VERSION:
            raise CaptureError(
                f"The journal {self._path} was written by another version of Kinelift (format {version}, "
                f"this one has {VERSION}): take that version, or move the journal away and all clips are "
                "made again."
            )
        if (said := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(said)
        db.execute(f"SELECT {_COLUMNS} FROM clips LIMIT 1")
        if not read_only:
            self._make_durable()

    def _make_durable(self) -> None:
        """Have every transaction on the disk before it returns."""
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def _as_sentences(self) -> Iterator[None]:
        """Turn errors of SQLite and of the file system into a `CaptureError`."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise CaptureError(
                    f"Another batch is at work in {self._path.parent.parent}: wait for its end, or give "
                    "another --out."
                ) from error
            if "no such" in str(error):  # a table or a column
                raise self._damaged(str(error)) from error
            raise CaptureError(
                f"Can't write {self._path}: {error}. Choose a folder that can be written and has room."
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error
        except OSError as error:
            raise CaptureError(
                f"Can't write {self._path}: {error.strerror or error}. Choose a folder that can be written."
            ) from error

    def _damaged(self, how: str) -> CaptureError:
        return CaptureError(
            f"The journal {self._path} is damaged ({how}): move it away and all clips are made again; what "
            "is done already stays until then."
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
        text = json.dumps(settings, sort_keys=True, ensure_ascii=False, default=str)
        self._write(
            """INSERT INTO clips (name, clip, settings, settings_hash, state, queued)
            VALUES (:name, :clip, :settings, :hash, 'queued', :now)
            ON CONFLICT (name) DO UPDATE SET clip = :clip, settings = :settings, settings_hash = :hash,
                state = 'queued', reason = NULL, queued = :now, attempts = 0, staged = NULL""",
            {"name": name, "clip": str(clip), "settings": text, "hash": settings_hash, "now": time.time()},
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
            confidence = :confidence, memory = :memory, strip = :strip, warnings = :warnings
            WHERE name = :name AND state = 'running' AND staged IS NULL""",
            {
                "name": name,
                "staged": json.dumps({"folder": made.folder, "files": dict(made.files)}),
                "warnings": json.dumps(list(made.warnings), ensure_ascii=False),
                **{
                    key: getattr(made, key)
                    for key in ("frames", "fps", "detected", "confidence", "memory", "strip")
                },
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
            {"name": name, "reason": reason, "now": time.time()},
        )

    def _write(self, statement: str, values: Mapping[str, Any]) -> bool:
        """Run one statement as a transaction; whether it changed anything."""
        with self._as_sentences():
            return self._db.execute(statement, values).rowcount == 1


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip((f.name for f in fields(Entry)), row, strict=True))
    values["warnings"] = tuple(json.loads(values["warnings"] or "[]"))
    values["files"] = json.loads(values["files"] or "{}")
    values["staged"] = json.loads(values["staged"]) if values["staged"] else None
    return Entry(**values)
