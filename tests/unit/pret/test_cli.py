"""Every command of the command line, over a real HTTP server that speaks the contract."""

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.responses import Response

from pret import Job
from pret.cli import show
from pret.cli.check import check_model
from pret.cli.main import main
from tests.unit.pret.contract_server import (
    GOLDEN,
    KEY,
    SHA,
    ContractServer,
    World,
    invalid,
    invalid_rows,
    job_body,
    problem,
    reason,
    succeeded,
)

ROOT = Path(__file__).resolve().parents[3]
SCORES = b"customer,score\n1,0.25\n"
MISSING = invalid(4, "A", "missing", "Field required")
REPORT = {"invalid_rows": 2, "invalid_values": 3, "errors": [MISSING]}
INVALID = reason("invalid-rows", "3 values are invalid.", count=3)

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with rows in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_bytes(b"A\n1\n2\n3\n")
    return tmp_path


@pytest.fixture
def scored(world: World) -> World:
    """A world in which what is submitted succeeds."""
    world.news = [
        {"state": "running", "stage": "reading", "rows_read": 2},
        {"state": "running", "stage": "scoring", "rows": 3, "rows_done": 1, "rows_per_second": 2e6, "eta_seconds": 4.2},
        succeeded("job0"),
    ]
    world.results = dict.fromkeys(("csv", "parquet", "ndjson", "arrow", "arrows"), SCORES)
    return world


SLOW_TO_END = """
import signal, sys
try:
    print("busy", flush=True)
    signal.pause()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.stdin.readline()
    print("cleaned up", flush=True)
    sys.exit(130)
"""
"""A script that cleans up until it is told to end."""

CHECK = """
import sys
from pathlib import Path
from pret.cli.check import check_model
sys.exit(check_model([], Path(sys.argv[1])))
"""


class Terminal(io.StringIO):
    """A stream that looks like a terminal."""

    def isatty(self) -> bool:
        return True


class Bytes:
    """Stands where stdin and stdout stand: text, and bytes below."""

    def __init__(self, content: bytes = b"") -> None:
        self.buffer = io.BytesIO(content)

    def flush(self) -> None: ...


def test_score_follows_the_job_and_fetches_the_scores(scored: World, folder: Path, capsys: Capture) -> None:
    assert (
        main(["score", "rows.csv", "-o", "out.parquet", "--keep", "customer", "--on-invalid", "flag", "--explain", "5"])
        == 0
    )
    out, err = capsys.readouterr()
    assert out == "3 rows, 2 granted, 1 refused in 1.5 s, by model v1\nThe scores are in out.parquet\n"
    assert err.splitlines() == [
        "queued",
        "reading: 2 rows",
        "scoring: 1 of 3 rows, 2,000,000 rows/s, 4 s left",
        "succeeded",
    ]
    assert (folder / "out.parquet").read_bytes() == SCORES
    assert scored.queries[0] == [("keep", "customer"), ("on_invalid", "flag"), ("name", "rows.csv"), ("explain", "5")]


@pytest.mark.parametrize(
    ("unseen", "words"),
    [
        ({"job": 0, "town": 0}, ""),
        ({"job": 0, "town": 1}, "Categories that the model has not seen in training: town in 1 row\n"),
        (
            {"job": 1234, "town": 2},
            "Categories that the model has not seen in training: job in 1,234 rows, town in 2 rows\n",
        ),
    ],
)
def test_the_summary_tells_of_categories_that_score_in_silence(
    scored: World, folder: Path, capsys: Capture, unseen: dict[str, int], words: str
) -> None:
    scored.news = [succeeded("", unseen_categories=unseen)]
    assert main(["score", "rows.csv"]) == 0
    assert capsys.readouterr().out == (
        f"3 rows, 2 granted, 1 refused in 1.5 s, by model v1\n{words}The scores are in rows-scores.csv\n"
    )


@pytest.mark.usefixtures("scored")
def test_an_archive_is_scored_by_the_name_in_it(folder: Path, capsys: Capture) -> None:
    with zipfile.ZipFile(folder / "november.zip", "w") as archive:
        archive.writestr("rows.csv", "A\n1\n")
    assert main(["score", "november.zip"]) == 0
    assert (folder / "november-scores.csv").read_bytes() == SCORES


def test_the_charset_of_a_file_is_said(scored: World, folder: Path) -> None:
    assert main(["score", "rows.csv", "--charset", "windows-1252"]) == 0
    assert scored.headers[0]["content-type"] == "text/csv; charset=windows-1252"


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("rows.csv.gz", "rows-scores.csv"),
        ("rows.txt", "rows-scores.csv"),
        ("a.b.json", "a-scores.ndjson"),
        ("rows.pq", "rows-scores.parquet"),
        ("rows.feather", "rows-scores.arrow"),
        ("rows.arrows", "rows-scores.arrows"),
    ],
)
def test_the_scores_lie_beside_the_rows_and_in_their_format(
    scored: World, folder: Path, name: str, output: str
) -> None:
    (folder / name).write_bytes(b"rows")
    assert main(["score", name]) == 0
    assert (folder / output).read_bytes() == SCORES


def test_score_reads_stdin_and_writes_stdout(scored: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    stdout = Bytes()
    monkeypatch.setattr(sys, "stdin", Bytes(b"A\n1\n"))
    monkeypatch.setattr(sys, "stdout", stdout)
    assert main(["score", "-", "--format", "csv", "--delimiter", ";", "--decimal", ","]) == 0
    assert (scored.bodies[0], stdout.buffer.getvalue()) == (b"A\n1\n", SCORES)
    assert "3 rows, 2 granted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rows.csv", "-o", "out.xlsx"], "OUT must end in .ndjson, .csv, .parquet, .arrow or .arrows"),
        (["rows.csv", "-o", "out.csv.gz"], "OUT must end in"),
        (["rows.csv", "-o", "nowhere/out.csv"], "folder of OUT"),
        (["rows.csv", "-o", "rows.csv"], "overwrite the input"),
        (["rows.xlsx", "-o", "out.csv"], "use --format"),
        (["-", "-o", "out.csv"], "stdin need --format"),
        (["rows.csv", "--url", "nonsense"], "address of the service"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(
    world: World, capsys: Capture, arguments: list[str], words: str
) -> None:
    assert main(["score", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert world.asked == []


def test_a_file_that_is_not_there_is_told(world: World, capsys: Capture) -> None:
    assert main(["score", "nowhere.csv"]) == 1
    assert capsys.readouterr().err == "nowhere.csv: No such file or directory\n"


def test_a_job_that_fails_shows_why(world: World, capsys: Capture) -> None:
    world.news = [job_body("job0", "failed", error=INVALID, report=REPORT)]
    assert main(["score", "rows.csv"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "queued",
        "failed",
        "Job job0 failed: 3 values are invalid.",
        "row  column  message",
        "4    A       Field required",
        "... and 2 more",
    ]


def test_rows_that_are_invalid_at_once_are_shown(world: World, capsys: Capture) -> None:
    world.answers = [invalid_rows([MISSING], 1)]
    assert main(["score", "rows.csv"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "1 value is invalid: row 4, column A: Field required.",
        "row  column  message",
        "4    A       Field required",
    ]


def test_a_connection_that_is_gone_for_good_says_that_the_job_goes_on(
    server: ContractServer, scored: World, capsys: Capture
) -> None:
    scored.results["csv"] = SCORES * 100_000
    server.cuts = [("down", 200_000), *[("down", 10)] * 4]
    assert main(["score", "rows.csv", "--url", server.cutting_url]) == 1
    err = capsys.readouterr().err
    assert "The scores were not downloaded, but job job0 continues" in err
    assert err.splitlines()[-1].startswith("The connection to http://127.0.0.1")


def test_ctrl_c_says_that_the_job_goes_on(server: ContractServer, folder: Path) -> None:
    # A program whose parent ignores Ctrl-C would ignore it too, and the tests may run in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    server.world.holds = True
    running = subprocess.Popen(
        [sys.executable, "-m", "pret", "score", "rows.csv", "-o", "out.csv"], cwd=folder, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    assert server.world.held.wait(20)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (130, "")
    assert err.splitlines()[-3:] == [
        "Interrupted, but job job0 continues.",
        "  pret job results job0 -o out.csv    downloads its results once it is done",
        "  pret job cancel job0    cancels it",
    ]


def test_job_list(world: World, capsys: Capture) -> None:
    world.add(job_body("a", "running", name="p.csv"))
    world.add(succeeded("b"))
    world.add(succeeded("c", model_version=SHA))
    assert main(["job", "list", "--limit", "2"]) == 0
    header, first, _, more = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["id", "state", "name", "rows"]
    assert (first.split()[:4], first.split()[-1]) == (["c", "succeeded", "-", "3"], SHA[:12])
    assert more == "2 of 3 jobs; --limit shows more"
    assert main(["job", "list", "--state", "running", "--json"]) == 0
    assert [job["id"] for job in json.loads(capsys.readouterr().out)["jobs"]] == ["a"]


def test_job_show(world: World, capsys: Capture) -> None:
    world.add(job_body("a", "failed", error=INVALID, report=REPORT))
    assert main(["job", "show", "a"]) == 0
    out, err = capsys.readouterr()
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert ["state", "failed"] in lines
    assert ["error", "3 values are invalid."] in lines
    assert err.splitlines()[:2] == ["row  column  message", "4    A       Field required"]
    assert main(["job", "show", "a", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["of_the_future"] == {}


def test_job_watch(scored: World, capsys: Capture) -> None:
    scored.add(job_body("job0"))
    assert main(["job", "watch", "job0"]) == 0
    out, err = capsys.readouterr()
    assert "scoring: 1 of 3 rows" in err
    assert ["granted", "2"] in [line.split() for line in out.splitlines()]


def test_job_cancel_and_retry(world: World, capsys: Capture) -> None:
    world.add(job_body("a", "running"))
    assert main(["job", "cancel", "a"]) == main(["job", "retry", "a"]) == 0
    assert capsys.readouterr().out == "Job a is cancelled.\nJob a is queued; `pret job watch a` follows it.\n"
    world.add(succeeded("b"))
    assert main(["job", "cancel", "b"]) == 1
    assert capsys.readouterr().err == "The job has ended already: succeeded.\n"


def test_job_rm(world: World, capsys: Capture) -> None:
    for job_id in ("a", "b", "c"):
        world.add(succeeded(job_id))
    assert main(["job", "rm", "a", "c"]) == 0
    assert capsys.readouterr().out == "Job a is removed.\nJob c is removed.\n"
    assert list(world.jobs) == ["b"]
    assert main(["job", "rm", "b", "a"]) == 1
    out, err = capsys.readouterr()
    assert (out, list(world.jobs)) == ("Job b is removed.\n", [])
    assert "a" in err


def test_job_results(scored: World, folder: Path, capsys: Capture) -> None:
    scored.add(succeeded("a"))
    assert main(["job", "results", "a", "-o", "out.arrow"]) == 0
    assert (folder / "out.arrow").read_bytes() == SCORES
    assert main(["job", "results", "x", "-o", "out.csv"]) == 1
    assert capsys.readouterr().err == "There is no job x, or no longer.\n"


def test_model_status_signature_and_history(world: World, capsys: Capture) -> None:
    for command, words in (
        (
            "status",
            [
                "kind  host    pid  version",
                "A reload of v2 is under way, requested by ann.",
                "error",
                "The golden rows differ.",
                "The model was not ready in time.",
            ],
        ),
        ("signature", [">= 18", "A, B", "False (no-gaps-in-training)"]),
        ("history", [SHA[:12], "rejected", "The golden rows differ."]),
    ):
        assert main(["model", command]) == 0
        out = capsys.readouterr().out
        assert [word for word in words if word not in out] == []
        assert main(["model", command, "--json"]) == 0
        json.loads(capsys.readouterr().out)


def test_model_show_says_what_the_score_is_and_what_was_assumed(world: World, capsys: Capture) -> None:
    assert main(["model", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["score = probability of bad", "threshold = 0.10104063636597403 (metadata.best_threshold)"]
    shown = [line.split(maxsplit=1) for line in lines[2:]]
    for name, value in (("version", "v1"), ("classes", "good, bad"), ("trees", "3"), ("integrity", "none")):
        assert [name, value] in shown
    assert lines[-1] == "Note: The model has no golden rows."
    assert main(["model", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["positive_class"] == "bad"
    world.answers = [Response('{"version": "v0"}', media_type="application/json")]
    assert main(["model", "show"]) == 0
    assert capsys.readouterr().out == "version  v0\n"


class TestModelCheck:
    """The script itself is tested where models are; here a smaller one stands for it."""

    def test_its_options_and_its_exit_code_are_those_of_the_script(
        self, world: World, folder: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        script = folder / "check.py"
        script.write_text("import sys\nprint(sys.argv[1:])\nsys.exit(len(sys.argv))")
        assert check_model(["--help", "a folder", "--threshold", "0.5"], script) == 5
        assert capfd.readouterr().out == "['--help', 'a folder', '--threshold', '0.5']\n"
        assert world.asked == []

    def test_without_the_project_it_says_what_it_needs(self, folder: Path, capsys: Capture) -> None:
        assert check_model(["models:/credit@champion"], folder / "check_model.py") == 2
        assert capsys.readouterr().err == (
            "`pret model check` needs the project and its environment: call scripts/pret in the project's folder.\n"
        )

    def test_the_command_line_leaves_its_options_to_the_script(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["model", "check", "--help"]) == 0
        assert capfd.readouterr().out.startswith("usage: pret model check [-h] [--threshold NUMBER]")
        assert main(["model", "check"]) == 2
        assert "the following arguments are required: SOURCE" in capfd.readouterr().err

    def test_ctrl_c_waits_until_the_script_has_cleaned_up(self, folder: Path) -> None:
        script = folder / "check.py"
        script.write_text(SLOW_TO_END)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        running = subprocess.Popen(
            [sys.executable, "-c", CHECK, str(script)], cwd=folder, text=True, start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        signal.signal(signal.SIGINT, before)
        assert running.stdout is not None
        assert running.stdout.readline() == "busy\n"
        os.killpg(running.pid, signal.SIGINT)
        assert running.stdout.readline() == "interrupted\n"
        out, _ = running.communicate("end\n", timeout=20)
        assert (running.returncode, out) == (130, "cleaned up\n")


def test_model_reload_and_rollback(world: World, capsys: Capture) -> None:
    assert main(["model", "reload", "v2"]) == 1
    assert "PRET_KEY" in capsys.readouterr().err
    assert main(["model", "reload", "v2", "--key", KEY]) == main(["model", "rollback", "--key", KEY]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["api", "laptop", "7", "v1", SHA[:12], "0.4", "-"]
    assert lines[2] == f"Reloaded: v1 -> {SHA}"


def test_a_rejected_reload_shows_which_process_failed(world: World, capsys: Capture) -> None:
    processes: list[dict[str, Any]] = [{"kind": "api", "host": "laptop", "pid": 7, "error": GOLDEN}]
    world.answers = [problem(409, "reload-failed", "Not all can take it.", processes=processes)]
    assert main(["model", "reload", "--key", KEY]) == 1
    assert capsys.readouterr().err.splitlines()[2].endswith("The golden rows differ.")


def test_health(world: World, capsys: Capture) -> None:
    assert main(["health"]) == 0
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "The service is ready.",
        "part     status  detail",
        "model    ok      Version v1 is served.",
        "workers  down    No worker is running.",
        "storage  ok      -",
    ]
    world.answers = [Response('{"status": "not ready", "parts": {}}', 503) for _ in range(2)]
    assert main(["health"]) == 1
    assert capsys.readouterr().out.startswith("The service is not ready.")
    assert main(["health", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["status"] == "not ready"


def test_a_service_that_is_not_there_is_told(capsys: Capture) -> None:
    assert main(["health", "--url", "http://127.0.0.1:1"]) == 1
    assert "Is the service up?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["job"], ["job", "list", "--limit", "0"], ["score"]])
def test_wrong_options_end_with_2(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: pret" in capsys.readouterr().err


def test_a_terminal_sees_a_bar_and_a_framed_table() -> None:
    terminal = Terminal()
    with show.Follower(terminal) as follower:
        follower.show(msgspec.convert(job_body("a", "running", stage="scoring", rows=4, rows_done=1), Job))
    assert "scoring: 1 of 4 rows" in terminal.getvalue()
    assert "25%" in terminal.getvalue()
    terminal = Terminal()
    show.table(("name",), [("[red]",)], terminal)
    assert "[red]" in terminal.getvalue()
    assert "┃" in terminal.getvalue()


def test_the_launcher_runs_where_the_caller_is(scored: World, folder: Path) -> None:
    (folder / "json.py").write_text("raise SystemExit('not this one')")
    launched = subprocess.run(
        [ROOT / "scripts/pret", "score", "rows.csv"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert launched.stderr.splitlines()[-1] == "succeeded"
    assert (folder / "rows-scores.csv").read_bytes() == SCORES
