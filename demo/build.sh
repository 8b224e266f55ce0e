#!/usr/bin/env bash
# Makes the two SCORM packages and the broken one from their sources: demo/build.sh
# Entries are sorted and carry one fixed time, so the same sources give the same bytes
# (as long as Python's zlib is the same; another zlib changes bytes and not content).
set -euo pipefail
cd "$(dirname "$0")"

python3 - <<'PYTHON'
import zipfile
from pathlib import Path

FIXED_TIME = (2025, 1, 1, 0, 0, 0)


def pack(source, target):
    """Zips a folder with the manifest first, as some importers look for it at the start."""
    files = sorted(path for path in source.rglob("*") if path.is_file())
    files.sort(key=lambda path: path.name != "imsmanifest.xml")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(source).as_posix(), FIXED_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            package.writestr(entry, path.read_bytes())
    print(f"{target}: {target.stat().st_size} bytes, {len(files)} files")


for name in ("scorm12", "scorm2004"):
    pack(Path("scorm", name), Path("scorm", f"{name}.zip"))

# A package whose upload was cut off: the directory at the end of the zip is missing.
whole = Path("scorm/scorm12.zip").read_bytes()
broken = Path("broken.zip")
broken.write_bytes(whole[: len(whole) * 6 // 10])
print(f"{broken}: {broken.stat().st_size} bytes of {len(whole)}")
PYTHON
