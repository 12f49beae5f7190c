"""Fetch a published archive: pinned to a commit and to each file's SHA-256, and never half a file."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal
from urllib.parse import quote

from selfinterp_stats.errors import ArgumentError, check_choice

__all__ = ["PublishedFile", "Registry", "fetch_archive", "load_registry"]

Progress = Callable[[str, int, int], object]

_CHUNK = 1 << 16  # bytes; pooch's own 1 KiB would report, and flush, twelve thousand times
_TIMEOUT = 30  # seconds without a byte; versions of pooch before 1.8.2 would wait for ever


@dataclass(frozen=True)
class PublishedFile:
    """One file of a published archive.

    Attributes
    ----------
    path : str
        Its path in the repository.
    size : int
        Its size in bytes.
    sha256 : str
        Its SHA-256 in hexadecimal digits.
    """

    path: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """What the file is called, without folders."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Registry:
    """What a published archive consists of, and where it lies.

    Attributes
    ----------
    repository, commit : str
        The repository on GitHub, as owner and name, and the commit in full.
    files : tuple of PublishedFile
        The files, by distinct names.
    """

    repository: str
    commit: str
    files: tuple[PublishedFile, ...]

    @property
    def address(self) -> str:
        """The address that the files' paths follow."""
        return f"https://raw.githubusercontent.com/{self.repository}/{self.commit}/"

    @property
    def size(self) -> int:
        """Size of all files together, in bytes."""
        return sum(file.size for file in self.files)


def fetch_archive(
    name: str, out: str | Path | None = None, *, base_url: str | None = None, progress: Progress | None = None
) -> Path:
    """Download a published archive.

    What is fetched is fixed by a commit and by the SHA-256 of each file. Files that are there already are left alone, so
    that a call after an interruption fetches the rest. Each file is downloaded in a folder beside `out`, is verified and
    takes its place only then.

    The default address could not be tried where this was developed: the downloading was tried on a local server, and the
    sizes and digests were taken from a copy of the files.

    Parameters
    ----------
    name : str
        Name of the archive: ``plunkett-2025``.
    out : str or pathlib.Path, optional
        Folder for the files; `name`, in the working folder, if left out. Other files in it are not touched.
    base_url : str, optional
        Address that the files' paths in the repository are put behind, for a mirror; by default the pinned commit at
        ``raw.githubusercontent.com``.
    progress : callable, optional
        Called with a file's name, the bytes that have come and its size in bytes. A file that is fetched begins with 0
        bytes and reaches its size once it is in place; a file that was there is told of once, with its size.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ArgumentError
        If `name` is unknown; if `out` is no folder, cannot be written, or holds a file of the archive with other
        contents, before anything is downloaded and with all such files; or if a file cannot be had from `base_url` as
        it was published. Files that were complete by then stay.

    Examples
    --------
    >>> fetch_archive("plunkett-2025")  # doctest: +SKIP
    >>> fetch_archive("plunkett")
    Traceback (most recent call last):
    ...
    selfinterp_stats.errors.ArgumentError: name: expected one of 'plunkett-2025', got 'plunkett'; pass
    name='plunkett-2025', for example
    """
    registry = load_registry(name)
    address = registry.address if base_url is None else _check_address(base_url)
    target = Path(os.path.abspath(name if out is None else out))
    report = progress or _say_nothing
    with _blaming_out():
        missing = _find_missing(registry.files, target)
        for file in registry.files:
            if file not in missing:
                report(file.name, file.size, file.size)
        if missing:
            with _beside(target) as folder:
                for file in missing:
                    _download(file, address, folder, report)
                    _put_in_place(file, folder, target)
                    report(file.name, file.size, file.size)
    return target


def load_registry(name: str) -> Registry:
    """Read what a published archive consists of.

    Parameters
    ----------
    name : str
        Name of the archive.

    Returns
    -------
    Registry
        Its repository, commit and files.

    Raises
    ------
    ArgumentError
        If `name` is unknown; the known ones are listed.

    Examples
    --------
    >>> len(load_registry("plunkett-2025").files)
    31
    """
    home = files("selfinterp_stats.archive")
    check_choice("name", name, sorted(p.name.removesuffix(".json") for p in home.iterdir() if p.name.endswith(".json")))
    entries = json.loads((home / f"{name}.json").read_text(encoding="utf-8"))
    return Registry(entries["repository"], entries["commit"], tuple(PublishedFile(**file) for file in entries["files"]))


def _check_address(base_url: str) -> str:
    if not base_url.startswith(("https://", "http://")):
        raise ArgumentError(
            "base_url",
            expected="an address with https:// or http://",
            got=repr(base_url),
            remedy="pass the address that the repository's paths follow, or leave it out",
        )
    return base_url.rstrip("/") + "/"


def _say_nothing(_name: str, _done: int, _total: int) -> None:
    pass


@contextmanager
def _blaming_out() -> Iterator[None]:
    """Errors of the file system as errors of the argument `out`."""
    try:
        yield
    except OSError as error:
        raise ArgumentError(
            "out",
            expected="a place that can be read and written",
            got=str(error),
            remedy="make room there or choose another folder; files that were complete by then stay",
        ) from error


def _find_missing(published: Sequence[PublishedFile], target: Path) -> list[PublishedFile]:
    """Files that are not there yet; refuses if any is there with other contents."""
    if target.exists() and not target.is_dir():
        raise ArgumentError(
            "out", expected="a folder, or a name that is free", got=f"{target}, a file", remedy="choose another name"
        )
    states = {file: _find_state(file, target / file.name) for file in published}
    _refuse_changed([file.name for file, state in states.items() if state == "changed"], target)
    return [file for file, state in states.items() if state == "absent"]


def _find_state(file: PublishedFile, place: Path) -> Literal["absent", "same", "changed"]:
    if not (place.exists() or place.is_symlink()):  # a link to nowhere is somebody's, too
        return "absent"
    if not place.is_file() or place.stat().st_size != file.size:
        return "changed"
    with place.open("rb") as opened:
        return "same" if hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256 else "changed"


def _refuse_changed(names: Sequence[str], target: Path) -> None:
    if names:
        raise ArgumentError(
            "out",
            expected="a folder where files of the archive are as they were published",
            got=f"{target}, where {', '.join(names)} {'differ' if len(names) > 1 else 'differs'}",
            remedy="move what differs away or choose another folder; nothing is overwritten",
        )


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder next to `target` for what is not complete, removed in any case; so is a new `target` that stays empty."""
    made = [path for path in (target, *target.parents) if not path.exists()]
    folder = None
    try:
        target.mkdir(parents=True, exist_ok=True)
        # beside what a link points to, so that moving a file is no copying
        place = target.resolve().parent
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=place))
        yield folder
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # at the first folder that is not empty; those above it are not either
            for path in made:
                path.rmdir()


def _download(file: PublishedFile, address: str, folder: Path, report: Progress) -> None:
    import pooch  # here, since it loads requests

    def download(url: str, place: str, _pooch: Any) -> None:
        with ExitStack() as responses, Path(place).open("wb") as opened:

            def keep(response: Any, **_: Any) -> None:
                responses.callback(response.close)  # pooch leaves one that was cut short to the garbage collector

            sink = _Sink(opened, file, url, report)
            try:
                pooch.HTTPDownloader(chunk_size=_CHUNK, timeout=_TIMEOUT, hooks={"response": keep})(url, sink, None)
            except OSError as error:  # requests' errors are; those of writing are something else by now
                raise _describe_failure(file, url, error) from error
        sink.check()

    report(file.name, 0, file.size)
    with _silenced(pooch.get_logger()):
        pooch.retrieve(
            address + quote(file.path),
            known_hash=f"sha256:{file.sha256}",
            fname=file.name,
            path=folder,
            downloader=download,
        )


class _Sink:
    """The open file that pooch writes to; counts and digests the bytes.

    Pooch's own progress objects are told of chunks, not bytes, and of the size of what is sent, which GitHub compresses.
    """

    def __init__(self, opened: IO[bytes], file: PublishedFile, url: str, report: Progress) -> None:
        self._opened = opened
        self._file = file
        self._url = url
        self._report = report
        self._done = 0
        self._digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        with _blaming_out():
            self._opened.write(chunk)
        self._digest.update(chunk)
        self._done += len(chunk)
        if self._done > self._file.size:  # whatever this is, it shall not fill the disk
            raise self._refuse(f"more than {self._file.size} bytes")
        if self._done < self._file.size:  # all of it is told once it is in place
            self._report(self._file.name, self._done, self._file.size)

    def flush(self) -> None:
        with _blaming_out():
            self._opened.flush()

    def check(self) -> None:
        """Refuse other contents; pooch would as well, with a ValueError that could be anything's."""
        if self._digest.hexdigest() != self._file.sha256:
            raise self._refuse(f"{self._done} bytes with {self._digest.hexdigest()}")

    def _refuse(self, got: str) -> ArgumentError:
        return ArgumentError(
            "base_url",
            expected=f"{self._file.name} with {self._file.size} bytes and SHA-256 {self._file.sha256}",
            got=f"{got} from {self._url}",
            remedy="it was discarded; try again, or pass base_url with the address of a faithful copy",
        )


def _describe_failure(file: PublishedFile, url: str, error: OSError) -> ArgumentError:
    response = getattr(error, "response", None)
    if response is not None:
        got = f"HTTP status {response.status_code} ({response.reason})"
    else:
        # what went wrong, without the history of the attempts that requests puts around it
        got = str(getattr(error.args[0], "reason", None) or error) if error.args else repr(error)
    return ArgumentError(
        "base_url",
        expected=f"{file.name} at {url}",
        got=got,
        remedy="check the network and the address and try again, or pass base_url with the address of a mirror; files "
        "that were complete by then stay",
    )


@contextmanager
def _silenced(logger: logging.Logger) -> Iterator[None]:
    """Pooch tells of each download on standard error otherwise."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _put_in_place(file: PublishedFile, folder: Path, target: Path) -> None:
    place = target / file.name
    state = _find_state(file, place)  # again: it may have come into being meanwhile
    _refuse_changed([file.name] if state == "changed" else [], target)
    if state == "absent":
        made = folder / file.name
        made.chmod(0o644)  # pooch makes it private
        made.rename(place)
