"""What the machine gives to this process, and what it has taken."""

import os
from pathlib import Path

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def resident_bytes() -> int:
    """Return the memory that this process holds; 0 where the system does not say it as Linux does."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def memory_limit_bytes() -> int:
    """Return the memory that this process may have: that of its container, or else of the machine."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [machine]
    for path in _CGROUP_LIMITS:
        try:
            said = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if said.isdigit():  # cgroup v2 says "max" where there is none, v1 a number beyond all memory
            limits.append(int(said))
    return min(limits)
