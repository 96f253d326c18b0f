"""What became of every clip: a SQLite file in the output folder that survives kill -9 and power loss."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..core.errors import CaptureError

#: raised whenever the table changes; a journal of another version is refused with a sentence
VERSION = 1
#: in the header of the file, so that no other program's database is taken for ours: "KNLF"
_APPLICATION = 0x4B4E4C46
STATES = ("queued", "running", "done", "failed")

_TABLE = """
CREATE TABLE clips (
    name TEXT PRIMARY KEY,          -- of the results: relative to the output folder, without ending
    clip TEXT NOT NULL,             -- the input
    input_hash TEXT,                -- SHA-256 of its content when it was last made
    settings TEXT NOT NULL,         -- JSON
    settings_hash TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
    reason TEXT,                    -- why it failed
    attempts INTEGER NOT NULL DEFAULT 0,
    completions INTEGER NOT NULL DEFAULT 0,   -- how often it became done, ever
    queued REAL, started REAL, ended REAL,    -- seconds since 1970
    frames INTEGER, fps REAL,
    detected REAL, confidence REAL, -- quality: share of frames with the person, mean confidence of the joints
    memory REAL,                    -- MB, the most that one of its processes took
    strip BLOB,                     -- quality over time, PNG
    warnings TEXT,                  -- JSON list
    files TEXT,                     -- JSON: size by name, of the results
    staged TEXT                     -- JSON: the same and the folder, while they are put in place
)
"""


@dataclass(frozen=True)
class Made:
    """What a job hands over.

    Attributes
    ----------
    folder : str
        Where its files lie, to be moved from there.
    files : dict
        Size in bytes by name.
    frames, fps, detected, confidence
        As in the journal.
    memory : float
        MB.
    strip : bytes
        PNG.
    warnings : tuple of str
    """

    folder: str
    files: Mapping[str, int]
    frames: int
    fps: float
    detected: float
    confidence: float
    memory: float = 0.0
    strip: bytes = b""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One clip as the journal knows it; the columns of the table."""

    name: str
    clip: str
    settings_hash: str
    state: str
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
    strip: bytes | None = None
    warnings: tuple[str, ...] = ()
    files: Mapping[str, int] = field(default_factory=dict)
    staged: Mapping[str, Any] | None = None


_COLUMNS = ", ".join(f.name for f in fields(Entry))


class Journal:
    """The journal of an output folder, which belongs to one batch at a time: the system frees it then.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    read_only : bool
        Only look, and leave everything as it is; the file has to be there.

    Raises
    ------
    CaptureError
        If another batch has it, it was written by another version, is damaged or can't be written.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self._path = path
        with self._told():
            if read_only:
                self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=1.0)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        try:
            with self._told():
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
            self._sure()
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
            self._sure()

    def _sure(self) -> None:
        """What is written stays, whatever happens to the batch or to the power."""
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors as sentences."""
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
        """Let another batch have it."""
        self._db.close()

    def entries(self) -> list[Entry]:
        """All clips, by name."""
        with self._told():
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM clips ORDER BY name").fetchall()
        return [_entry(row) for row in rows]

    def entry(self, name: str) -> Entry | None:
        """One clip."""
        with self._told():
            row = self._db.execute(f"SELECT {_COLUMNS} FROM clips WHERE name = ?", (name,)).fetchone()
        return _entry(row) if row else None

    def queue(self, name: str, clip: Path, settings: Mapping[str, Any], settings_hash: str) -> None:
        """Note that a clip is to be made; what is known of an earlier result stays until there is another."""
        text = json.dumps(settings, sort_keys=True, ensure_ascii=False, default=str)
        self._write(
            """INSERT INTO clips (name, clip, settings, settings_hash, state, queued)
            VALUES (:name, :clip, :settings, :hash, 'queued', :now)
            ON CONFLICT (name) DO UPDATE SET clip = :clip, settings = :settings, settings_hash = :hash,
                state = 'queued', reason = NULL, queued = :now, attempts = 0, staged = NULL""",
            {"name": name, "clip": str(clip), "settings": text, "hash": settings_hash, "now": time.time()},
        )

    def claim(self, name: str, input_hash: str) -> bool:
        """Begin with a queued clip; False if it is not queued any more."""
        return self._write(
            """UPDATE clips SET state = 'running', started = :now, ended = NULL, input_hash = :hash,
            attempts = attempts + 1 WHERE name = :name AND state = 'queued'""",
            {"name": name, "hash": input_hash, "now": time.time()},
        )

    def give_back(self, name: str) -> None:
        """A clip that was begun waits again, as if it had not been."""
        self._write(
            "UPDATE clips SET state = 'queued', started = NULL, staged = NULL "
            "WHERE name = :name AND state = 'running'",
            {"name": name},
        )

    def staged(self, name: str, made: Made) -> None:
        """A clip is finished: all that remains is to move its files."""
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
        """Its files are in their places."""
        self._write(
            """UPDATE clips SET state = 'done', ended = :now, completions = completions + 1,
            files = :files, staged = NULL
            WHERE name = :name AND state = 'running' AND staged IS NOT NULL""",
            {"name": name, "now": time.time(), "files": json.dumps(dict(files))},
        )

    def failed(self, name: str, reason: str) -> None:
        """It can't be made, and why."""
        self._write(
            """UPDATE clips SET state = 'failed', reason = :reason, ended = :now, staged = NULL
            WHERE name = :name AND state IN ('queued', 'running')""",
            {"name": name, "reason": reason, "now": time.time()},
        )

    def _write(self, statement: str, values: Mapping[str, Any]) -> bool:
        """A transaction of one statement; whether it changed anything."""
        with self._told():
            return self._db.execute(statement, values).rowcount == 1


_HEADER = ("user_version", "application_id")


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip((f.name for f in fields(Entry)), row, strict=True))
    values["warnings"] = tuple(json.loads(values["warnings"] or "[]"))
    values["files"] = json.loads(values["files"] or "{}")
    values["staged"] = json.loads(values["staged"]) if values["staged"] else None
    return Entry(**values)
