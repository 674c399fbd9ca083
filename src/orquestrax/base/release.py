"""The release that is running."""

from importlib.metadata import PackageNotFoundError, version

try:
    RELEASE = version("orquestrax")
except PackageNotFoundError:  # run from a bare source tree
    RELEASE = "0"
