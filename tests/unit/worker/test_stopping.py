"""A worker tells its children that it is to end."""

import os

from worker.stopping import Stopping


def test_a_child_learns_what_its_parent_is_told_after_the_fork() -> None:
    stopping = Stopping()
    to_child, from_parent = os.pipe()
    child = os.fork()
    if not child:
        os.read(to_child, 1)
        os._exit(0 if stopping else 1)
    assert not stopping
    stopping.ask()
    os.write(from_parent, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
