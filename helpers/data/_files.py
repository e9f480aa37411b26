"""Readers of data files: those that ship in ``data/`` and the usual files of MNIST, Fashion-MNIST and SVHN."""

from __future__ import annotations

import gzip
import hashlib
import math
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from helpers._base import checks, paths

SHIPPED = paths.shipped("data")


@cache
def shipped(file):
    """Return the arrays of a file in ``data/``, by name, read once a process.

    Parameters
    ----------
    file : str
        For example ``"mnist1d.npz"``.

    Returns
    -------
    dict of str to numpy.ndarray

    Raises
    ------
    FileNotFoundError
        If it is missing.
    """
    path = SHIPPED / file
    if not path.is_file():
        raise FileNotFoundError(
            f"The data file {path} is missing. In a checkout, restore it with `git checkout -- data` "
            f"or rebuild it with `python data/build.py`; where the package was installed, install it again."
        )
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"The data file {path} is damaged ({error}). In a checkout, restore it with `git checkout -- data`; "
            f"where the package was installed, install it again."
        ) from error


@dataclass(frozen=True)
class Source:
    """One file that is not shipped: its name, address, place in Keras's cache, reader and what identifies it.

    ``digest`` is the published SHA-256 or MD5, or None where none is; ``rows`` is then checked in its place.
    """

    file: str
    address: str
    subfolder: str
    read: object
    digest: str | None = None
    rows: int | None = None


def _images(x, y, shape):
    """Return images (N, *shape) and labels (N,), both uint8, if that is what they are."""
    if x.dtype != np.uint8 or x.ndim != len(shape) + 1 or x.shape[1:] != shape:
        raise ValueError(
            f"images must be uint8 of shape (N, {', '.join(map(str, shape))}), not {x.dtype} {x.shape}"
        )
    if y.shape != x.shape[:1]:
        raise ValueError(f"there must be one label an image, not {y.shape} for {x.shape[0]}")
    labels = _whole(y)
    if labels.size and (labels.min() < 0 or labels.max() > 9):
        raise ValueError(
            f"labels must run from 0 to 9, these from {labels.min()} to {labels.max()}"
        )
    return x, labels.astype(np.uint8)


def _whole(labels):
    """Return labels as whole numbers, whatever type of number they are stored as."""
    if labels.dtype.kind not in "biuf" or not np.array_equal(labels, np.round(labels)):
        raise ValueError(
            f"labels must be whole numbers, not {labels.dtype} such as {labels.flat[0]!r}"
        )
    return labels.astype(np.int64)


def _read_npz(path):
    """Return (x_train, y_train, x_test, y_test) of Keras's ``mnist.npz``."""
    if not zipfile.is_zipfile(path):
        raise ValueError("an .npz file is an archive as np.savez writes it, and this one is not")
    with np.load(path, allow_pickle=False) as arrays:
        absent = {"x_train", "y_train", "x_test", "y_test"}.difference(arrays.files)
        if absent:
            raise ValueError(f"it lacks the arrays {sorted(absent)}")
        parts = [
            _images(arrays[f"x_{part}"], arrays[f"y_{part}"], (28, 28))
            for part in ("train", "test")
        ]
    return (*parts[0], *parts[1])


def _read_idx(path):
    """Return the array of an idx file of bytes, gzipped or not: magic 0, 0, 8, axes; big-endian sizes; values."""
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(
            f"an idx file of bytes begins with 00 00 08, this one with {content[:3].hex(' ')}"
        )
    start = 4 + 4 * content[3]
    shape = tuple(int(n) for n in np.frombuffer(content[4:start], ">u4"))
    if len(shape) != content[3] or len(content) - start != math.prod(shape):
        raise ValueError(
            f"its header announces shape {shape}, but {max(0, len(content) - start)} values follow"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _read_svhn(path):
    """Return images (N, 32, 32, 3) and labels of one SVHN file; the digit 0, labelled 10 there, becomes 0."""
    with open(path, "rb") as stream:
        if stream.read(10) == b"MATLAB 7.3":
            raise ValueError(
                "it has MATLAB's format 7.3, which SciPy cannot read: save it with -v7"
            )
    arrays = loadmat(path, variable_names=("X", "y"))
    absent = {"X", "y"}.difference(arrays)
    if absent:
        raise ValueError(f"it lacks the variables {sorted(absent)}")
    labels = _whole(arrays["y"].reshape(-1))
    if labels.size and (labels.min() < 1 or labels.max() > 10):
        raise ValueError(
            f"SVHN labels run from 1 to 10, these from {labels.min()} to {labels.max()}"
        )
    return _images(np.ascontiguousarray(np.moveaxis(arrays["X"], -1, 0)), labels % 10, (32, 32, 3))


_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_STANFORD = "http://ufldl.stanford.edu/housenumbers/"
MNIST = (
    Source(
        "mnist.npz",
        _KERAS + "mnist.npz",
        "datasets",
        _read_npz,
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    ),
)
# Keras publishes no hash for these: gzip's own checksum, the idx header and the number of rows stand in.
FASHION_MNIST = tuple(
    Source(file, _KERAS + file, "datasets/fashion-mnist", _read_idx, rows=rows)
    for file, rows in (
        ("train-images-idx3-ubyte.gz", 60_000),
        ("train-labels-idx1-ubyte.gz", 60_000),
        ("t10k-images-idx3-ubyte.gz", 10_000),
        ("t10k-labels-idx1-ubyte.gz", 10_000),
    )
)
SVHN = tuple(
    Source(file, _STANFORD + file, "datasets/svhn", _read_svhn, digest)
    for file, digest in (
        ("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
        ("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
    )
)


def load(sources, folder, download, checksum):
    """Return the four arrays of a data set that does not ship with the repository.

    Parameters
    ----------
    sources : tuple of Source
        Its files.
    folder : path or None
        Where they lie; None is their place in Keras's cache.
    download : bool
        Fetch the absent ones into that folder.
    checksum : bool
        Accept only the published files.

    Returns
    -------
    tuple of numpy.ndarray
        x_train, y_train, x_test, y_test as uint8.

    Raises
    ------
    FileNotFoundError
        If a file is absent and ``download`` is False.
    ValueError
        If one is not the published file, or not of its format.
    """
    arrays = []
    for source in sources:
        path = _locate(
            source, folder, checks.flag("download", download), checks.flag("checksum", checksum)
        )
        stat = path.stat()
        found = _read(source, path, checksum, stat.st_mtime_ns, stat.st_size)
        arrays.extend(found if isinstance(found, tuple) else (found,))
    if sources is FASHION_MNIST:
        names = " and ".join(source.file for source in sources)
        try:
            return *_images(*arrays[:2], (28, 28)), *_images(*arrays[2:], (28, 28))
        except ValueError as error:
            raise ValueError(f"The files {names} do not fit together: {error}.") from error
    return tuple(arrays)


def _locate(source, folder, download, checksum):
    """Return the path of a file, fetched first if asked to."""
    folder = (
        paths.downloads() / source.subfolder if folder is None else checks.folder("folder", folder)
    )
    path = folder / source.file
    for here in (path, path.with_suffix("")):  # packed, or unpacked already
        if here.is_file() and (here == path or path.suffix == ".gz"):
            return here
    if not download:
        raise FileNotFoundError(
            f"There is no file {source.file} in the folder {folder}. Get it from {source.address} (`download=True` "
            f"does that) or name the folder that holds it (`folder=...`)."
        )
    # Here, because it takes seconds and only a download needs it; through the one door that imports it quietly.
    keras = import_module("helpers._tensorflow").keras
    folder.mkdir(parents=True, exist_ok=True)
    digest = source.digest if checksum else None
    return Path(
        keras.utils.get_file(
            source.file, source.address, cache_subdir=str(folder.resolve()), file_hash=digest
        )
    )


@lru_cache(maxsize=8)
def _read(source, path, checksum, changed, size):
    """Check and read one file; the time and size of its last change are part of the cache's key."""
    if checksum and source.digest is not None:
        method = "md5" if len(source.digest) == 32 else "sha256"
        with open(path, "rb") as stream:
            digest = hashlib.file_digest(stream, method).hexdigest()
        if digest != source.digest:
            raise ValueError(
                f"The file {path} ({size} bytes) has {method} {digest}, the one at {source.address} has "
                f"{source.digest}. Remove it and fetch it again (`download=True`), or pass `checksum=False` to "
                "accept it."
            )
    try:
        arrays = source.read(path)
    except (
        Exception
    ) as error:  # each format has its own errors for a damaged file; the reader needs the name
        raise ValueError(
            f"The file {path} cannot be read as {source.file}: {error}. If it is damaged, remove it and fetch it "
            f"again from {source.address} (`download=True` does that)."
        ) from error
    if checksum and source.rows is not None and len(arrays) != source.rows:
        raise ValueError(
            f"The file {path} holds {len(arrays)} rows, the one at {source.address} {source.rows}. "
            f"Remove it and fetch it again (`download=True`), or pass `checksum=False` to accept it."
        )
    return arrays
