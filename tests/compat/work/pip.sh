#!/usr/bin/env bash
# Python packaging: a virtual environment, a package from source, a wheel, an entry point, removal.
set -euo pipefail

# Archives and wheels hold times, which must be the same in every run.
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1 SOURCE_DATE_EPOCH=1000000000
/usr/bin/python3 -m venv venv
mkdir -p source/small
cat >source/setup.py <<'PY'
from setuptools import setup

setup(name="small", version="1.0", packages=["small"], entry_points={"console_scripts": ["small=small:main"]})
PY
printf 'def main():\n    print("small runs")\n' >source/small/__init__.py
/usr/bin/python3 - <<'PY'
import zipfile

info = "wheeled-2.0.dist-info/"
files = {
    "wheeled.py": "VALUE = 42\n",
    info + "METADATA": "Metadata-Version: 2.1\nName: wheeled\nVersion: 2.0\n",
    info + "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
with zipfile.ZipFile("wheeled-2.0-py3-none-any.whl", "w") as wheel:
    for name, text in files.items():
        wheel.writestr(zipfile.ZipInfo(name), text)
    wheel.writestr(zipfile.ZipInfo(info + "RECORD"), "".join(f"{name},,\n" for name in [*files, info + "RECORD"]))
PY
venv/bin/pip --quiet install --no-index --no-compile ./wheeled-2.0-py3-none-any.whl
(cd source && ../venv/bin/python setup.py --quiet sdist 2>/dev/null)
tar -tf source/dist/small-1.0.tar.gz | sort
venv/bin/pip --quiet install --no-index --no-build-isolation --no-deps --no-compile source/dist/small-1.0.tar.gz 2>/dev/null
venv/bin/python -c 'import wheeled; print(wheeled.VALUE)'
venv/bin/small
venv/bin/pip list --format=freeze
venv/bin/pip --quiet uninstall --yes wheeled
venv/bin/python -c 'import wheeled' 2>gone && exit 1
tail -n1 gone
rm -rf source/build source/dist source/*.egg-info
find . -name '*.pyc' -delete
find . -name '__pycache__' -delete
