"""A Topic reaches other processes wherever its class is declared: by multiprocessing, pickle, cloudpickle and dill."""

import subprocess
import sys
from pathlib import Path

import pytest

from helpers import peers

DECLARATIONS = """
import dataclasses, multiprocessing, subprocess, sys
import typedshm
from typedshm import Struct, Topic, u64

class Count(Struct):
    n: u64

    def doubled(self):
        return self.n * 2

@dataclasses.dataclass
class Record:
    n: u64

    def doubled(self):
        return self.n * 2

TOPICS = [Topic("count", Count, slots=8), Topic("record", Record)]

def work(topic):
    with topic.attach() as region:
        with region.update() as block:
            block.n += 1
        value = region.read()
    return topic, value, value.doubled()
"""

POOL = (
    DECLARATIONS
    + """
if __name__ == "__main__":
    for topic in TOPICS:
        with topic.create() as region, multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
            region.write(topic.schema(n=1))
            for back, value, doubled in pool.map(work, [topic] * 2):
                assert back == topic and type(value) is topic.schema and doubled == 2 * value.n
            print(region.read().n)
            pool.close()
            pool.join()
"""
)

SENDER = (
    DECLARATIONS
    + """
packer = sys.argv[1]
dumps, loads = __import__(packer).dumps, __import__(packer).loads
for topic in TOPICS:
    with topic.create() as region:
        region.write(topic.schema(n=20))
        data = dumps(topic)
        assert loads(data) == topic
        receiver = f"import sys, {packer}; topic = {packer}.load(sys.stdin.buffer); print(topic); "
        receiver += "region = topic.attach(); "
        receiver += "value = region.read(); print(value.n, hasattr(value, 'doubled')); region.close()"
        done = subprocess.run([sys.executable, "-W", "error", "-c", receiver], input=data, capture_output=True)
        print(done.stdout.decode().replace("\\r", ""), done.stderr.decode(), sep="", end="")
"""
)


def run(script: str, folder: Path, argument: str) -> list[str]:
    """Run a script, as its user would; returns the lines that it printed."""
    file = folder / "script.py"
    file.write_text(script)
    command = [sys.executable, "-W", "error::UserWarning", str(file), argument]
    done = subprocess.run(command, capture_output=True, text=True, timeout=peers.PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("method", peers.START_METHODS)
def test_processes_of_a_pool_get_topics_with_classes_of_the_script(method: str, tmp_path: Path) -> None:
    assert run(POOL, tmp_path, method) == ["3", "3"]


def test_pickle_describes_a_class_that_the_other_process_cannot_import(tmp_path: Path) -> None:
    shown = ["Topic('count', Count, slots=8)", "20 False", "Topic('record', Record)", "20 False"]
    assert run(SENDER, tmp_path, "pickle") == shown


@pytest.mark.parametrize("packer", ["cloudpickle", "dill"])
def test_picklers_that_carry_classes_bring_their_methods(packer: str, tmp_path: Path) -> None:
    module = pytest.importorskip(packer)
    try:
        module.dumps(lambda: None)
    except Exception:
        pytest.skip(f"{packer} does not know this Python's functions yet")
    shown = ["Topic('count', Count, slots=8)", "20 True", "Topic('record', Record)", "20 True"]
    assert run(SENDER, tmp_path, packer) == shown
