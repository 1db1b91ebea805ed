"""Files that installed packages bring along: data, and a font."""

import importlib.util
import pathlib


def installed_file(package: str, *path: str) -> pathlib.Path:
    """Returns a file inside an installed package, without importing the package.

    Raises:
        ModuleNotFoundError: if the package is not installed.
        FileNotFoundError: if it has no such file.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f"This example needs the package {package}. Install what the examples need with\n"
            "    pip install 'keras-bert-zh[examples]'",
            name=package,
        )
    file = pathlib.Path(spec.submodule_search_locations[0], *path)
    if not file.is_file():
        raise FileNotFoundError(
            f"The installed {package} has no {'/'.join(path)}. Install the version that the "
            "examples need with\n    pip install 'keras-bert-zh[examples]'"
        )
    return file
