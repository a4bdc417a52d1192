"""What the client may rest on."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "pret"


def imported_by(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return {module.partition(".")[0] for module in modules}


def others(*folders: Path) -> set[str]:
    found = {name for folder in folders for path in folder.glob("*.py") for name in imported_by(path)}
    return found - sys.stdlib_module_names - {"pret"}


def test_the_client_needs_httpx_and_msgspec_alone_and_the_command_line_rich_too() -> None:
    assert others(PACKAGE) == {"httpx", "msgspec"}
    assert others(PACKAGE / "cli") == {"rich"}


def test_importing_the_client_does_not_load_the_command_line() -> None:
    code = "import sys, pret; print(sorted({'rich', 'argparse', 'pydantic', 'pandas', 'pyarrow'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("[]", "['rich']"), (
        "httpx itself loads rich for its own command line, if that is there"
    )


def test_a_file_is_no_longer_than_one_wants_to_read() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > 300} == {}
