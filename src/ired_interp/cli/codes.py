"""What the command's exit code says; a job script acts on it."""

__all__ = ["FAILED", "INTERRUPTED", "STOPPED"]

FAILED = 1
# Stopped in order, by TERM or USR1: run the same command again (EX_TEMPFAIL of sysexits.h).
STOPPED = 75
INTERRUPTED = 130
