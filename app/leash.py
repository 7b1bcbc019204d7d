"""A process that ends with its parent, even when the parent was killed with kill -9.

As a program, ``python leash.py PARENT COMMAND...`` puts itself on the leash and becomes the command, so that no code
runs between a fork and an exec. It imports the standard library only, and so starts in milliseconds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Lets Linux kill this process when its parent, whose process id is given, ends; elsewhere does nothing.

    The kernel watches the thread that started this process, so that thread has to live as long as its process does.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # the parent ended before the kernel was asked


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  the supervisor's own command
