"""Racing simulators: iRacing, rFactor 2, Le Mans Ultimate, RaceRoom, Automobilista 2, Trackmania."""

from helpers.foreign_sources.notation import alternative, document, names, of, rows, source, struct

# ---- iRacing -------------------------------------------------------------------------------------------------------

IrStatus = of("Status", "CONNECTED", flag=True)

IrBuffer = struct(
    "IracingBuffer",
    """
    tick: i32 | Of the values in it; stored after them.
    offset: i32 B
    tick_begin: i32 | Stored before the values; 0 from older programs.
    """,
    size=16,
)

IrHead = struct(
    "IracingHead",
    """
    version: i32
    status: i32:Status
    tick_rate: i32 Hz
    session_info_update: i32 | Changes with the session's text.
    session_info_length: i32 B
    session_info_offset: i32 B
    variable_count: i32
    variable_offset: i32 B
    buffer_count: i32
    buffer_length: i32 B
    pad 8
    buffers: @IracingBuffer[4; buffer_count]
    """,
    "Where the variables, their values and the session's text are.",
    Status=IrStatus,
    IracingBuffer=IrBuffer,
)

IrType = of("VariableType", "CHAR", "BOOL", "INT", "BITFIELD", "FLOAT", "DOUBLE")

IrVariable = struct(
    "IracingVariable",
    """
    type: i32:VariableType
    offset: i32 B | In each buffer.
    count: i32 | Items of an array; 1 if it is none.
    count_as_time: bool
    pad 3
    name: ansi(32)
    description: ansi(64)
    unit: ansi(32)
    """,
    "What one of the variables is.",
    VariableType=IrType,
)

IRACING = document(
    "iRacing: variables of car and session, and the session as text",
    [
        source(
            "telemetry",
            alternative(IrHead, when=[{"field": "version", "is": 2}], newest={"field": "version", "at_most": 2}),
            names=names("Local\\IRSDKMemMapFileName"),
            rule={
                "kind": "newest-buffer",
                "buffers": "buffers",
                "count": "buffer_count",
                "tick": "tick",
                "begin": "tick_begin",
                "offset": "offset",
                "size": "buffer_length",
            },
            idle=2.0,
            event={"name": "Local\\IRSDKDataValidEvent", "shared": False},
            disabled=[{"field": "status", "mask": 1, "is": 0}],
            parts=[
                rows("variables", IrVariable, offset="variable_offset", count="variable_count"),
                {
                    "name": "session_info",
                    "text": {"encoding": "cp1252"},
                    "offset": "session_info_offset",
                    "length": "session_info_length",
                    "once_per": "session_info_update",
                    "doc": "YAML; give it to a parser once per session_info_update.",
                },
            ],
            table={"kind": "iracing"},
        )
    ],
    doc="""Which variables there are depends on the car: they are a table that is read at run time. iRacing pulses its
    event, so that wake-ups can get lost. Its bit for connected flickers; values older than 2 s mean that it is gone.
    Texts are in the code page of Windows unless iRacing is told to use UTF-8.""",
    provenance=[
        ("pyirsdk, which reads an image that was made with this layout", "live"),
        ("irsdk_defines.h, by readers; compiled with MinGW", "compiled"),
    ],
    licence="The SDK's header has a licence of its own, pyirsdk is MIT; this layout is in own words.",
    sizes={"the section (1,164 KiB)": 1191936, "of the head": 112},
)

DOCUMENTS = {"iracing": IRACING}
"""The documents of this family, by name."""
