"""Tables made at run time, compared with the readers and the writer that their users have from PyPI."""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers import marks, pypi
from helpers.programs import report
from helpers.table_images import Variable, VppSegment, iracing
from typedshm.foreign.tables.iracing import IracingTable
from typedshm.foreign.tables.prometheus import PrometheusTable
from typedshm.foreign.tables.vpp import VppTable

pytestmark = marks.live

PYIRSDK = """
import json, sys, irsdk
sdk = irsdk.IRSDK()
assert sdk.startup(test_file=sys.argv[1])
sdk.freeze_var_buffer_latest()
told = {}
for head in sdk._var_headers:
    value = sdk[head.name]
    value = value.decode("cp1252") if isinstance(value, bytes) else value
    told[head.name] = [value, head.unit, head.desc, head.count_as_time]
print(json.dumps(told))
"""

VPP_PAPI = """
import json, sys
from vpp_papi.vpp_stats import VPPStats
stats = VPPStats(sys.argv[1])
stats.connect()
print(json.dumps({name: stats[name] for name in sys.argv[2:]}))
"""

PROMETHEUS = """
import json, os
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.mmap_dict import MmapedDict
Counter("requests", "How many.", ["path"]).labels("/é").inc(2.5)
Histogram("seconds", "How long.", buckets=[1, 2]).observe(1.5)
Gauge("free", "Bytes.", multiprocess_mode="mostrecent").set(7)
folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
told = {name: list(MmapedDict.read_all_values_from_file(os.path.join(folder, name))) for name in os.listdir(folder)}
print(json.dumps(told))
"""

VARIABLES = [
    Variable("Speed", 4, (61.5,), "m/s", "GPS vehicle speed"),
    Variable("SessionFlags", 3, (0x80000004,), "irsdk_Flags"),
    Variable("IsOnTrack", 1, (True,)),
    Variable("Gear", 0, (b"R",)),
    Variable("CarIdxLap", 2, tuple(range(-1, 63))),
    Variable("LFshockDefl_ST", 4, (0.5, 0.25, 0.125), "m", in_time=True),
    Variable("SessionTime", 5, (1234.5,), "s"),
]


def test_pyirsdk_reads_the_same_variables(tmp_path: Path) -> None:
    image, start, frame = iracing(VARIABLES)
    (tmp_path / "memory").write_bytes(image)
    package = pypi.installed("pyirsdk")
    told = json.loads(package.run(PYIRSDK, str(tmp_path / "memory")))
    values = IracingTable().values(image[start : start + frame], IracingTable().entries(image))
    found = {
        name: [value if not entry.shape else value.tolist(), entry.unit, entry.doc, entry.in_time]
        for (name, value), entry in zip(values.asdict().items(), values.entries.values(), strict=True)
    }
    assert found == told
    report("pyirsdk", package.version, f"{len(told)} variables are the same", kind="oracle")


@contextlib.contextmanager
def stats_socket(path: Path, image: bytes) -> Iterator[None]:
    """A server that hands a descriptor of the image to whoever connects, once."""
    memory = os.memfd_create("stats")
    os.write(memory, image)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):  # nobody came
                client, _ = server.accept()
                with client:
                    socket.send_fds(client, [b"\0"], [memory])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            os.close(memory)


def test_vpp_papi_reads_the_same_statistics(tmp_path: Path) -> None:
    segment = VppSegment()
    rows = [segment.vector("Q", 1, 2, 3), segment.vector("Q", 4, 5, 6)]
    pairs = [segment.vector("QQ", 10, 640, 20, 1280), segment.vector("QQ", 1, 64, 2, 128)]
    segment.add("/sys/heartbeat", 1, 123)
    segment.add("/if/drops", 2, segment.vector("Q", *rows))
    segment.add("/if/rx", 3, segment.vector("Q", *pairs))
    segment.add("/if/names", 4, segment.vector("Q", segment.name("local0"), segment.name("eth0")))
    segment.add("/interfaces/eth0/rx", 6, 2 | 1 << 32)
    segment.add("/buffers", 9, 77)
    image = segment.image()
    values = VppTable().values(image, VppTable().entries(image))
    package = pypi.installed("vpp-papi")
    with stats_socket(tmp_path / "stats.sock", image):
        told = json.loads(package.run(VPP_PAPI, str(tmp_path / "stats.sock"), *values))
    found: dict[str, Any] = {
        name: value.tolist() if hasattr(value, "tolist") else value for name, value in values.asdict().items()
    }
    assert json.loads(json.dumps(found)) == told
    assert len(told) == 6
    report("vpp-papi", package.version, f"{len(told)} statistics of each type are the same", kind="oracle")


def test_prometheus_client_s_files_have_the_samples_that_it_reads(tmp_path: Path) -> None:
    package = pypi.installed("prometheus-client")
    told = json.loads(package.run(PROMETHEUS, PROMETHEUS_MULTIPROC_DIR=str(tmp_path)))
    names = set()
    for file, samples in told.items():
        image = (tmp_path / file).read_bytes()
        values = PrometheusTable().values(image, PrometheusTable().entries(image))
        assert [[values[name], values.time(name)] for name in values] == [sample[1:3] for sample in samples]
        assert [values.doc(name) for name in values] == [json.loads(sample[0])[3] for sample in samples]
        names |= set(values)
    assert names >= {'requests_total{path="/é"}', "seconds_sum", 'seconds_bucket{le="2.0"}', "free"}
    report("prometheus-client", package.version, f"{len(names)} samples of {len(told)} files are the same")
