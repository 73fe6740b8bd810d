import subprocess
import sys
from pathlib import Path

# In a process of its own: other tests compile kernels too.
SCRIPT = """
import gc
from numba.core.registry import CPUDispatcher
from consumers.pipeline import Pipeline
from consumers.serving.rehearsal import rehearse
from tests.consumers.stream import interactions, round_robin, run, settings

def compiled():
    kernels = [one for one in gc.get_objects() if type(one) is CPUDispatcher]
    return {f"{k.py_func.__module__}.{k.py_func.__name__}": len(k.signatures) for k in kernels if k.signatures}

chosen = settings(serving={"repeats": "never"})
rehearse(Pipeline(chosen))
before = compiled()
pipeline = Pipeline(chosen)
for first in (0, 60):
    run(pipeline, interactions(pipeline, round_robin(20), first=first))
    pipeline.state()
assert len(before) > 20, before
assert compiled() == before, set(compiled().items()) ^ set(before.items())
"""


def test_a_rehearsal_leaves_nothing_to_compile() -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
