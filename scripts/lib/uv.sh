# Sourced by the other scripts, from the project's folder: sets UV to a uv program, fetched into .local/uv when the
# machine has none, and defines install_environment.

# Compiled modules are what makes the second start fast.
unset PYTHONDONTWRITEBYTECODE

fetch_uv() {
    local target=.local/uv python
    python=$(find_python) || exit 1
    echo "uv is not installed here; getting it into $target ..." >&2
    if "$python" -m venv "$target.venv" 2>/dev/null; then
        "$target.venv/bin/python" -m pip install --quiet --disable-pip-version-check --target "$target" --require-hashes -r requirements/uv.txt >&2
        rm -rf "$target.venv"
    else
        rm -rf "$target.venv"
        "$python" -m pip install --quiet --disable-pip-version-check --target "$target" --require-hashes -r requirements/uv.txt >&2 || {
            echo "This Python has neither venv nor pip. Install uv (https://docs.astral.sh/uv) or your system's python3-venv, then run this again." >&2
            exit 1
        }
    fi
}

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.11 or later is needed, and none was found on the PATH." >&2
    return 1
}

UV=$(command -v uv || true)
if [ -z "$UV" ]; then
    UV=$PWD/.local/uv/bin/uv
    [ -x "$UV" ] || fetch_uv
fi

# install_environment NAME: brings .venv to exactly what requirements/NAME.txt locks; a second call costs milliseconds.
install_environment() {
    local lock=requirements/$1.txt stamp=.venv/.installed-from
    if [ -x .venv/bin/python ] && cmp -s "$lock" "$stamp"; then
        return
    fi
    echo "Installing the packages of $lock into .venv ..." >&2
    [ -x .venv/bin/python ] || "$UV" venv --quiet --python "$(find_python)" .venv
    "$UV" pip sync --quiet --require-hashes --python .venv/bin/python "$lock"
    cp "$lock" "$stamp"
}
