"""System programs: Mumble, NTP, the JVM, Prometheus' client, perf, PCP."""

from typing import Any

from helpers.foreign_sources.notation import alternative, document, of, rows, source, struct

# ---- Mumble Link ---------------------------------------------------------------------------------------------------

UiState = of(
    "UiState",
    *("MAP_OPEN", "COMPASS_TOP_RIGHT", "COMPASS_ROTATES", "GAME_FOCUS", "COMPETITIVE", "TEXTBOX_FOCUS", "IN_COMBAT"),
    flag=True,
)

GuildWars2 = struct(
    "GuildWars2Context",
    """
    server_address: bytes(28) | A sockaddr_in or sockaddr_in6.
    map_id: u32
    map_type: u32
    shard_id: u32
    instance: u32
    build_id: u32 | Of the game.
    ui_state: u32:UiState
    compass_width: u16
    compass_height: u16
    compass_rotation: f32
    player_x: f32 | On the map of the continent.
    player_y: f32
    map_center_x: f32
    map_center_y: f32
    map_scale: f32
    process_id: u32
    mount: u8
    """,
    "What Guild Wars 2 says in the context: 88 bytes, although context_length is 48.",
    size=256,
    UiState=UiState,
)

POSE = """
    {0}_position: f32[3] m | Left-handed: x to the right, y up, z to the front.
    {0}_front: f32[3] | A unit vector.
    {0}_top: f32[3] | A unit vector.
"""


def mumble_link(text: str, context: str, doc: str) -> Any:
    return struct(
        "MumbleLink",
        f"""
        ui_version: u32 | 1, or 2 with identity, context and description.
        ui_tick: u32 | Counts the updates; without one for 5 s the game is no longer linked.
        {POSE.format("avatar")}
        name: {text}(256) | Of the game.
        {POSE.format("camera")}
        identity: {text}(256) | Of the player, often JSON.
        context_length: u32 B | How much of the context decides who hears whom.
        {context}
        description: {text}(2048) | Of the game.
        """,
        doc,
        GuildWars2=GuildWars2,
    )


WIDE = "Where a game says who and where the player is."
CONTEXT = "context: bytes(256) | Players hear each other by position where theirs are equal."
GW2_CONTEXT = "context: @GuildWars2 | Guild Wars 2's own; other games have other bytes there."

MUMBLE_NAMES = {"linux": ["MumbleLink.{uid}"], "darwin": ["MumbleLink.{uid}"], "windows": ["MumbleLink"]}
MUMBLE_RULE = {"kind": "still", "tick": "ui_tick", "written": "first"}
MUMBLE_ORIGINS = [
    ("Mumble's own Link plugin of Debian 12, which makes, writes and reads the memory", "live"),
    ("its struct, compiled for both widths of wchar_t", "compiled"),
    ("mumble.info: Integrate Mumble Positional Audio Through the Link Plugin (axes, units)", "third-party"),
]


def mumble(utf16: Any, utf32: Any) -> dict[str, Any]:
    return source(
        "link",
        alternative(utf16, abi="utf-16", systems=["windows"]),
        alternative(utf32, abi="utf-32", systems=["linux", "darwin"]),
        names=MUMBLE_NAMES,
        rule=MUMBLE_RULE,
        idle=5.0,
    )


MUMBLE = document(
    "Mumble Link: games tell Mumble where the player is",
    [mumble(mumble_link("utf16", CONTEXT, WIDE), mumble_link("utf32", CONTEXT, WIDE))],
    doc="""Games write, Mumble and other programs read. wchar_t is UTF-16 on Windows and UTF-32 elsewhere, so the sizes
    differ. Nothing tells a reader that an update is under way: two equal copies around a tick that stands still are
    the best there is.""",
    provenance=MUMBLE_ORIGINS,
    licence="Mumble is BSD-3-Clause; this layout is in own words.",
    sizes={"Linux, Mumble of Debian 12": 10580, "Windows, Mumble's header compiled": 5460},
)

GUILD_WARS_2 = document(
    "Guild Wars 2: Mumble Link with its own context",
    [mumble(mumble_link("utf16", GW2_CONTEXT, WIDE), mumble_link("utf32", GW2_CONTEXT, WIDE))],
    doc="""As mumble-link; the context is a struct. The identity is JSON.""",
    provenance=[*MUMBLE_ORIGINS, ("the game's wiki; what stands behind ui_state is from readers", "third-party")],
    licence="Facts of the game's wiki; Mumble is BSD-3-Clause; this layout is in own words.",
    sizes={"Windows": 5460, "of the context": 88},
)

# ---- NTP -----------------------------------------------------------------------------------------------------------

Leap = of("Leap", "NONE", "INSERT", "DELETE", "NOT_IN_SYNC")

Ntp = struct(
    "NtpShm",
    """
    mode: i32 | 1: count and valid guard the rest; 0: valid alone does.
    count: i32 | Counts before and after each update.
    clock_seconds: i64 s | What the reference clock said.
    clock_microseconds: i32 us
    pad 4
    receive_seconds: i64 s | What this machine's clock said at that moment.
    receive_microseconds: i32 us
    leap: i32:Leap
    precision: i32 | Of the clock: 2 to this power, in seconds.
    samples: i32
    valid: i32 | Set by the clock; the reader that has taken the sample clears it.
    clock_nanoseconds: u32 ns
    receive_nanoseconds: u32 ns
    top_clock_seconds: u32 | The upper half of 64 bits, where time_t has 32.
    top_receive_seconds: u32
    """,
    "A sample of a reference clock, for chronyd, ntpd and others.",
    size=96,
    Leap=Leap,
)

NTP = document(
    "NTP reference clocks: gpsd and others tell chronyd or ntpd the time",
    [
        source(
            "clock",
            alternative(Ntp, abi="lp64"),
            names={"linux": ["sysv:0x4e545030+{unit}"], "darwin": ["sysv:0x4e545030+{unit}"]},
            rule={"kind": "consumed", "mode": "mode", "count": "count", "valid": "valid"},
        )
    ],
    doc="""A System V segment for each unit. The reader takes a sample by clearing valid, so whoever only watches must
    not do that. time_t has 64 bits here.""",
    provenance=[
        ("chronyd and gpsd of Debian 12, which took our samples and gave us theirs", "live"),
        ("ntp: refclock_shm.c, compiled for x86-64", "compiled"),
    ],
    licence="Facts of ntp's and gpsd's sources; this layout is in own words.",
    sizes={"64-bit Linux, gpsd of Debian 12": 96},
)

# ---- JVM -----------------------------------------------------------------------------------------------------------

HsMagic = struct("HsperfMagic", "magic: u32 | 0xcafec0c0.", byte_order="big")


def prologue() -> Any:
    body = struct(
        "HsperfPrologue",
        """
        pad 4
        byte_order: i8 | 1: little-endian.
        major: i8
        minor: i8
        accessible: bool | False until the table is complete.
        used: i32 B
        overflow: i32 B | What found no room.
        modified: i64 | When an entry was last added, in ticks of the JVM's clock.
        entry_offset: i32
        entries: i32
        """,
        "What stands at the beginning of a JVM's file of counters.",
    ).layout.describe()
    (magic,) = HsMagic.layout.describe()["fields"]
    return body | {"fields": [magic, *body["fields"]]}


JVM = document(
    "Java: the counters of a JVM, as jstat shows them",
    [
        source(
            "counters",
            {"when": [{"field": "magic", "is": 0xCAFEC0C0}, {"field": "major", "is": 2}], "layout": prologue()},
            names={
                "linux": ["/tmp/hsperfdata_{user}/{pid}"],
                "darwin": ["{tmp}/hsperfdata_{user}/{pid}"],
                "windows": ["{tmp}/hsperfdata_{user}/{pid}"],
            },
            rule={"kind": "still"},
            disabled=[{"field": "accessible", "is": 0}],
            table={"kind": "hsperfdata"},
        )
    ],
    doc="""A file that the JVM maps, one for each process. Each counter is one word and changes by itself; nothing
    holds several together. The magic number is big-endian, the rest in the order that the prologue tells.""",
    provenance=[
        ("OpenJDK: perfMemory.hpp, and a JVM of Debian 12 whose 187 counters were compared with jstat's", "live"),
    ],
    licence="OpenJDK is GPL-2.0; this layout is in own words, from facts.",
    sizes={"OpenJDK on Linux": 32768},
)

# ---- Prometheus ----------------------------------------------------------------------------------------------------

Prometheus = struct(
    "PrometheusFile",
    "used: i32 B | Of the file, this number included.",
    "The beginning of a file of Prometheus' client for several processes; the metrics follow.",
    size=8,
)

PROMETHEUS = document(
    "Prometheus: metrics of Python programs with several processes",
    [
        source(
            "metrics",
            Prometheus,
            names={},
            rule={"kind": "still"},
            table={"kind": "prometheus"},
        )
    ],
    doc="""Files TYPE_PID.db in the folder of PROMETHEUS_MULTIPROC_DIR: attach by the path, with this document. Each
    has keys, which are JSON, and for each a value and a time, two f64. Values change one by one.""",
    provenance=[("prometheus-client for Python, mmap_dict.py: its files were read", "live")],
    licence="prometheus-client is Apache-2.0; this layout is in own words.",
    sizes={"a new file of prometheus-client 0.26": 65536},
)

# ---- perf ----------------------------------------------------------------------------------------------------------

Perf = struct(
    "PerfEventPage",
    """
    version: u32
    compat_version: u32
    lock: u32 | Odd while the kernel writes.
    index: u32 | Of the hardware counter, plus 1; 0 if there is none.
    offset: i64 | To be added to the hardware counter.
    time_enabled: u64 ns
    time_running: u64 ns
    capabilities: u64 | Bits.
    pmc_width: u16 bit
    time_shift: u16
    time_mult: u32
    time_offset: u64 ns
    time_zero: u64 ns
    size: u32 B | How much of the page the kernel knows.
    pad 948
    data_head: u64 B | Where the kernel writes next.
    data_tail: u64 B | How far the reader has read.
    data_offset: u64
    data_size: u64 B
    """,
    "The first page of what a descriptor of perf_event_open maps.",
)

PERF = document(
    "Linux: the page of a perf event",
    [source("page", Perf, names={}, rule={"kind": "parity", "sequence": "lock"})],
    doc="""Attach by the descriptor that perf_event_open returned, with this document. The ring of records behind the
    page is no part of it.""",
    provenance=[
        ("linux/perf_event.h of Debian 12, compiled", "compiled"),
        ("events of software counters in a virtual machine", "live"),
    ],
    licence="The kernel's user API headers may be used by any program; this layout is in own words.",
    sizes={"x86-64 Linux, the page": 4096},
)

# ---- PCP -----------------------------------------------------------------------------------------------------------

Mmv = struct(
    "MmvHeader",
    """
    magic: utf8(4) | "MMV".
    version: i32
    generation1: u64 | Set before the table is changed.
    generation2: u64 | Set after it; the table is valid where both are equal and not 0.
    tables: i32 | How many tables of contents follow.
    flags: i32
    process: i32
    cluster: i32
    """,
    "The beginning of a file of PCP's memory mapped values.",
)

MmvToc = struct(
    "MmvTableOfContents",
    """
    type: i32
    count: i32
    offset: u64
    """,
)

MMV = document(
    "PCP: metrics of programs for Performance Co-Pilot",
    [
        source(
            "metrics",
            alternative(Mmv, when=[{"field": "magic", "is": "MMV"}]),
            names={},
            rule={"kind": "generation", "first": "generation1", "second": "generation2"},
            parts=[rows("contents", MmvToc, offset={"size": "head"}, count="tables")],
            table={"kind": "mmv"},
        )
    ],
    doc="""Files in $PCP_TMP_DIR/mmv: attach by the path, with this document. The generations guard the table; each
    value is a word of 8 bytes and changes by itself.""",
    provenance=[("python3-pcp of Debian 12 wrote files, which mmvdump and we read alike", "live")],
    licence="Facts of PCP's documentation and files; this layout is in own words.",
    sizes={"of the header": 40},
)

# ---- VPP -----------------------------------------------------------------------------------------------------------

Vpp = struct(
    "VppStatistics",
    """
    version: u64
    base: u64 | The address that pointers inside are relative to.
    epoch: u64 | Changes with the directory.
    in_progress: u64 | Not 0 while the directory is being changed.
    directory: u64 | The address of the directory.
    """,
    "The beginning of the statistics segment of VPP.",
)

VPP = document(
    "VPP: statistics of the packet processor",
    [
        source(
            "statistics",
            alternative(Vpp, when=[{"field": "version", "is": 2}], newest={"field": "version", "at_most": 2}),
            names={},
            rule={"kind": "busy", "flag": "in_progress", "tick": "epoch"},
            table={"kind": "vpp"},
        )
    ],
    doc="""VPP hands its segment out as a descriptor, over the socket /run/vpp/stats.sock: attach by that, with this
    document. The flag and the epoch guard the directory; counters change one by one. Entries have 144 bytes, a
    vector's length stands 8 bytes before it, and pointers are addresses of VPP minus base.""",
    provenance=[
        ("vpp-papi's reader in Python, which read a segment of ours", "live"),
        ("vpp: the header of its statistics segment, compiled", "compiled"),
    ],
    licence="VPP is Apache-2.0; this layout is in own words.",
    sizes={"of the head": 40, "of an entry": 144},
)

# ---- ImageStreamIO -------------------------------------------------------------------------------------------------

Time = struct("Timespec", "seconds: i64 s\nnanoseconds: i64 ns")

IMAGE_HEAD = """
    version: utf8(32)
    name: utf8(80)
    axes: u8 | How many of the sizes count.
    size: u32[3] | Along each axis.
    elements: u64
    data_type: u8
    image_type: u64
    created: @Timespec
    last_access: @Timespec
    acquired: @Timespec
    written: @Timespec
"""
IMAGE_TAIL = """
    cnt0: u64 | Counts the images.
    cnt1: u64
    cnt2: u64
    write: u8 | Not 0 while an image is being written.
    keywords: u16
"""

Image = struct(
    "ImageStreamMetadata",
    f"""
    {IMAGE_HEAD}
    creator_pid: i32
    owner_pid: i32
    shared: u8
    inode: u64
    location: i8
    status: u8
    flag: u64
    log_flag: u8
    semaphores: u16
    traces: u16
    {IMAGE_TAIL}
    buffer_size: u32
    buffer_index: u32
    buffer_cycle: u64
    memory_size: u64 B
    cuda_handle: bytes(64)
    """,
    "What stands before the pixels.",
    Timespec=Time,
)

OldImage = struct(
    "ImageStreamMetadata",
    f"""
    {IMAGE_HEAD}
    shared: u8
    location: i8
    status: u8
    flag: u64
    log_flag: u8
    semaphores: u16
    {IMAGE_TAIL}
    cuda_handle: bytes(64)
    """,
    "What stands before the pixels.",
    Timespec=Time,
)

IMAGE_STREAM = document(
    "ImageStreamIO: images of adaptive optics (milk, CACAO, xaosim)",
    [
        source(
            "image",
            alternative(OldImage, abi="xaosim", when=[{"field": "version", "is": "xaosim" + 26 * " "}]),
            alternative(Image, abi="milk"),
            names={},
            rule={"kind": "busy", "flag": "write", "tick": "cnt0"},
        )
    ],
    doc="""Files /milk/shm/NAME.im.shm or in /dev/shm: attach by the path, with this document. The pixels follow the
    head. xaosim writes an older head, whose cnt0 is at 240 and not at 264; its version is the word xaosim, padded
    with blanks. Programs are told of new images by POSIX semaphores, one for each reader.""",
    provenance=[
        ("ImageStruct.h of milk, compiled", "compiled"),
        ("xaosim 1.0.11, shmlib.py: files that it writes", "live"),
    ],
    licence="ImageStreamIO is under the GPL, xaosim MIT; these layouts are in own words, from facts.",
    sizes={"of milk's head": 384, "of xaosim's head": 336},
)

# ---- winmmf --------------------------------------------------------------------------------------------------------

Winmmf = struct(
    "WinmmfLock",
    "lock: u32 | The highest byte is 0xff before it is set up; bit 31: a writer; the low 24 bits: how many read.",
    "The word in front of the payload of a memory of winmmf, a library for Rust.",
)

WINMMF = document(
    "winmmf: memory of Rust programs, with a word that counts readers",
    [source("lock", Winmmf, names={}, rule={"kind": "reader-count", "word": "lock"})],
    doc="""The names are the programs' own, and the payload behind the word is theirs, too: attach by the name with a
    Struct whose first field is the word.""",
    provenance=[("winmmf's documentation of its lock", "third-party")],
    licence="Facts of its documentation; this layout is in own words.",
    sizes={"of the word": 4},
)

DOCUMENTS = {
    "imagestreamio": IMAGE_STREAM,
    "vpp": VPP,
    "winmmf": WINMMF,
    "mumble-link": MUMBLE,
    "guild-wars-2": GUILD_WARS_2,
    "ntp-shm": NTP,
    "jvm": JVM,
    "prometheus": PROMETHEUS,
    "perf-event": PERF,
    "mmv": MMV,
}
"""The documents of this family, by name."""
