"""ARM orders memory weakly: the core's aarch64 code has an instruction for every order that the protocol asks for.

x86 hides a missing order, so it is looked for in the machine code: of typedshm.h, whose functions
platform/protocol.c makes visible one by one, and of lock.c. That the orders suffice is proved elsewhere, by models.
On x86-64 only a store before a load takes an instruction.
"""

import re
import shutil

import pytest

from helpers import marks
from helpers.compilers import PACKAGE, PROTOCOL, compile_with, copy_core, cross_gcc, objdump, replace_once, zig

pytestmark = marks.compiler

LOAD_ACQUIRE = r"ldap?u?r\s"
STORE_RELEASE = r"stlu?r\s"
LOAD, STORE = r"ldu?r\s", r"stu?r\s"
BARRIER = r"dmb\s+ish$"
LOAD_BARRIER = r"dmb\s+ish(ld)?$"
# compare-and-swap: a loop of exclusive loads and stores, one instruction from ARMv8.1 on, or a choice of the two
SET = r"stl?xr\s|ldseta?l?\s|stset\s|.*__aarch64_ldset8_\w+$"
CLEAR_RELEASE = r"stlxr\s|ldclra?l\s|stclrl\s|.*__aarch64_ldclr8_(acq_)?rel$"
# sequentially consistent: what is loaded later, by LDAR, does not overtake what is stored earlier, by STLXR or whole
LOAD_CONSISTENT = r"ldar\s"
SWAP_CONSISTENT = r"stlxr\s|casal\s|.*__aarch64_cas8_acq_rel$"
SWAP_ACQUIRE = r"ldaxr\s|casal?\s|.*__aarch64_cas8_acq(_rel)?$"
ADD_RELEASE = r"stlxr\s|ldadda?l\s|staddl\s|.*__aarch64_ldadd8_(acq_)?rel$"
ADD_CONSISTENT = r"stlxr\s|ldaddal\s|.*__aarch64_ldadd8_acq_rel$"
EXCHANGE_RELEASE = r"stlxr\s|swpa?l\s|.*__aarch64_swp8_(acq_)?rel$"

# In each function, these instructions in this order.
ORDERS = (
    ("read_begin", LOAD_ACQUIRE, LOAD_ACQUIRE),  # head, mark
    ("read_retry", LOAD_BARRIER, LOAD),  # mark, after all of the payload
    ("pin", SET, BARRIER, LOAD),  # the pin, before head and the others' pins
    ("pin", CLEAR_RELEASE),  # the pin taken back
    ("unpin", CLEAR_RELEASE),  # the pin, after all of the payload
    ("pinned", LOAD_ACQUIRE),  # the pin word
    ("write_begin_without_pins", STORE, BARRIER),  # the odd mark, before any of the payload
    ("write_begin_with_pins", STORE, BARRIER, LOAD_ACQUIRE),  # the odd mark, before the pin words
    ("write_begin_with_pins", STORE_RELEASE),  # the old mark again
    ("write_begin_with_pins", *[LOAD_ACQUIRE] * 2),  # a claim's generation, the pin words
    ("write_end", STORE_RELEASE, EXCHANGE_RELEASE),  # the even mark, head
    ("lives", LOAD_BARRIER, LOAD_ACQUIRE),  # the word, before the generation
    ("used_places", LOAD_ACQUIRE),
    ("role", LOAD_ACQUIRE),
    ("got", *[LOAD_ACQUIRE] * 2),  # role, position
    ("end_count", *[STORE_RELEASE] * 3),  # lost ones, position, the member's note of the count
    ("count_lost", *[STORE_RELEASE] * 4),  # the note before that
    ("group_lock", SWAP_ACQUIRE),
    ("group_unlock", STORE_RELEASE),
    ("take_again", STORE_RELEASE),  # the owner, after the time
    ("next", *[LOAD_ACQUIRE] * 2),  # head, mark
    ("next_awaited", *[LOAD_ACQUIRE] * 2),  # head, mark
    ("behind_overrun", LOAD_ACQUIRE),  # head
    ("raise_room", BARRIER, LOAD),  # what made room, before the room
    ("got_it", STORE_RELEASE, BARRIER, LOAD),  # the position, before the room
    ("leave_place", STORE_RELEASE, ADD_RELEASE, BARRIER, LOAD),  # the owner, the count, before the room
    ("left", LOAD_ACQUIRE),
    ("announce_writer", BARRIER),  # the W bit, before positions
    ("hand_out", *[LOAD_ACQUIRE] * 7),  # places, role, owner, its generation, mark; head, mark
    ("hand_out", *[STORE_RELEASE] * 3),  # both owners, the group's position
    ("head_number", LOAD_ACQUIRE),
    ("row_read_begin", LOAD_ACQUIRE, LOAD_ACQUIRE),  # both marks
    ("row_read_retry", LOAD_BARRIER, LOAD),  # mark, after all of the payload
    ("row_number", LOAD_ACQUIRE, LOAD_ACQUIRE),  # mark, and mark once more
    ("row_write_begin", STORE_RELEASE, BARRIER),  # the odd mark, before any of the payload
    ("row_stamp", LOAD_CONSISTENT, LOAD_CONSISTENT, LOAD_CONSISTENT),  # epoch, stamp, epoch
    ("row_stamp", SWAP_CONSISTENT, LOAD_CONSISTENT, STORE),  # the stamp, before the epoch; the row's own
    ("row_write_end", STORE_RELEASE),  # the even mark
    ("news", LOAD_CONSISTENT, SWAP_CONSISTENT),  # the number
    ("announce_news_sleep", SWAP_CONSISTENT),
    ("epoch_step", ADD_CONSISTENT),
    ("lock_attach", STORE_RELEASE, BARRIER),  # the generation, before any word that names it
    ("lock_keeps_entry", STORE, BARRIER),  # likewise, once it was written over
    ("lock_owner_lives", LOAD_BARRIER, LOAD_ACQUIRE),  # the word, before the generation
    ("take", SWAP_CONSISTENT),
    ("lock_release", SWAP_CONSISTENT),
)

# The same, of functions that call so many others that compilers differ in what they make one of.
GCC_ORDERS = (
    ("drop_members", *[LOAD_ACQUIRE] * 13),
    ("drop_followers", *[LOAD_ACQUIRE] * 22),
    ("take_place", *[STORE_RELEASE] * 5),  # position, role, low_mark, the bit, which is there twice
)

# Where each of them is asked for: file, text with the order in brackets, functions that show it.
SOURCES = {
    "head loaded": (
        "typedshm.h",
        "sequence = tshm_load(&tshm_control_of(ring)->head.word, [acquire]) >> 1",
        "read_begin",
    ),
    "mark loaded": ("typedshm.h", "slot->mark, [acquire]) == 2 * sequence", "read_begin"),
    "fence before mark is looked at again": (
        "typedshm.h",
        "tshm_fence([acquire]);\n    return tshm_load(&cursor->slot",
        "read_retry",
    ),
    "fence behind the pin": (
        "typedshm.h",
        "tshm_fence([seq_cst]);\n    /* Not mark, which",
        "pin",
    ),
    "pin cleared": ("typedshm.h", "~(1ull << entry % 64), [release]", "pin unpin"),
    "pin word loaded": ("typedshm.h", "slot->pins[i], [acquire]", "pinned write_begin_with_pins"),
    "fence behind the odd mark": (
        "typedshm.h",
        "tshm_fence([release]);\n            return TSHM_WRITABLE;",
        "write_begin_without_pins",
    ),
    "fence before the pins": (
        "typedshm.h",
        "tshm_fence([seq_cst]);\n        if (!tshm_pinned",
        "write_begin_with_pins",
    ),
    "even mark stored": ("typedshm.h", "2 * sequence, [release]", "write_end"),
    "head exchanged": ("typedshm.h", "head.word, sequence << 1, [release]", "write_end"),
    "head loaded to wait": ("typedshm.h", "head.word, [acquire]) & ~TSHM_HEAD_AWAITED", "head_number"),
    "fence before a generation is looked at": ("typedshm.h", "tshm_fence([acquire]);\n    if (alive &&", "lives"),
    "generation looked at to tell who lives": (
        "typedshm.h",
        "presence->generation, [acquire]",
        "lives hand_out write_begin_with_pins drop_members drop_followers",
    ),
    "places loaded": ("typedshm.h", "writer.followers, [acquire]", "used_places hand_out drop_members drop_followers"),
    "role loaded": ("typedshm.h", "follower->role, [acquire]", "role got hand_out drop_members drop_followers"),
    "position loaded": ("typedshm.h", "follower->position, [acquire]", "got drop_members drop_followers"),
    "lost version counted": ("typedshm.h", "group->lost, lost, [release]", "end_count count_lost"),
    "lost version taken": ("typedshm.h", "member->position, 0, [release]", "end_count count_lost"),
    "count ended": ("typedshm.h", "tshm_store(&member->lost, 0, [release]", "end_count count_lost"),
    "count begun": ("typedshm.h", "member->lost, lost, [release]", "count_lost"),
    "group's lock taken": ("typedshm.h", "&seen, mine, [acquire]", "group_lock"),
    "group's lock given back": (
        "typedshm.h",
        "owner, 0, [release]); /* with the acquire in tshm_group_lock",
        "group_unlock",
    ),
    "member's owner loaded": ("typedshm.h", "member->owner, [acquire]", "drop_members drop_followers"),
    "follower's owner loaded": ("typedshm.h", "follower->owner, [acquire]", "drop_followers"),
    "place's position stored": (
        "typedshm.h",
        "position, position, [release]);\n    /* Release, and behind",
        "take_place",
    ),
    "place's role stored": ("typedshm.h", "follower->role, role, [release]", "take_place"),
    "low_mark lowered": ("typedshm.h", "low_mark, got, [release]", "take_place"),
    "place used": ("typedshm.h", "1ull << place, [release]", "take_place"),
    "place taken again": ("typedshm.h", "follower->owner, owner, [release]", "take_again"),
    "head loaded by a follower": ("typedshm.h", "head.word, [acquire]) >> 1;\n    for (uint64_t sequence", "next"),
    "mark loaded by a follower": ("typedshm.h", "mark = tshm_load(&cursor->slot->mark, [acquire])", "next"),
    "head loaded by an awaited follower": (
        "typedshm.h",
        "head.word, [acquire]) >> 1;\n    for (uint64_t ahead",
        "next_awaited hand_out",
    ),
    "mark loaded by an awaited follower": (
        "typedshm.h",
        "slot->mark, [acquire]) == 2 * cursor->sequence)",
        "next_awaited hand_out",
    ),
    "head loaded behind an overrun": ("typedshm.h", "head.word, [acquire]) >> 1;             /*", "behind_overrun"),
    "fence before the room is looked at": (
        "typedshm.h",
        "tshm_fence([seq_cst]); /* with that in tshm_announce_writer",
        "raise_room got_it leave_place",
    ),
    "position stored": ("typedshm.h", "position, position, [release]);\n    return tshm_raise_room", "got_it"),
    "owner gone": ("typedshm.h", "follower->owner, 0, [release]);\n    (void)", "leave_place"),
    "leaver counted": ("typedshm.h", "room.left, 1, [release]", "leave_place"),
    "leavers loaded": ("typedshm.h", "room.left, [acquire]", "left"),
    "fence behind a writer's announcement": (
        "typedshm.h",
        "tshm_fence([seq_cst]); /* with that in tshm_got_it",
        "announce_writer",
    ),
    "dead member's owner loaded": ("typedshm.h", "other->owner, [acquire]", "hand_out"),
    "dead member's place taken": ("typedshm.h", "member->owner, relaxed), [release]", "hand_out"),
    "member's own place left": ("typedshm.h", "member->owner, 0, [release]", "hand_out"),
    "mark loaded of what a dead member had": ("typedshm.h", "slot->mark, [acquire]) == 2 * had", "hand_out"),
    "version handed out": ("typedshm.h", "group->position, cursor->sequence, [release]", "hand_out"),
    "old mark restored": ("typedshm.h", "mark, before, [release]", "write_begin_with_pins"),
    "row's first mark loaded": (
        "typedshm.h",
        "first = tshm_load(&row->versions[0].mark, [acquire])",
        "row_read_begin row_number",
    ),
    "row's second mark loaded": ("typedshm.h", "tshm_load(&row->versions[1].mark, [acquire])", "row_read_begin"),
    "row's mark loaded for its number": (
        "typedshm.h",
        "mark = tshm_load(&row->versions[0].mark, [acquire])",
        "row_number",
    ),
    "fence before a row's mark is looked at again": (
        "typedshm.h",
        "tshm_fence([acquire]);\n    return tshm_load(&cursor->version",
        "row_read_retry",
    ),
    "row's odd mark stored": ("typedshm.h", "2 * number + 1, [release]", "row_write_begin"),
    "fence behind a row's odd mark": ("typedshm.h", "tshm_fence([release]);\n    return cursor;", "row_write_begin"),
    "row's even mark stored": ("typedshm.h", "2 * cursor->number, [release]", "row_write_end"),
    "epoch loaded": ("typedshm.h", "tshm_load(epoch, [seq_cst]), before", "row_stamp"),
    "epoch loaded once more": ("typedshm.h", "now = tshm_load(epoch, [seq_cst]);", "row_stamp"),
    "stamp loaded": ("typedshm.h", "seen = tshm_load(stamp, [seq_cst])", "row_stamp"),
    "stamp raised": ("typedshm.h", "&seen, before, [seq_cst]", "row_stamp"),
    "epoch raised": ("typedshm.h", "epoch, 1, [seq_cst]", "epoch_step"),
    "news looked at": ("typedshm.h", "seen = tshm_load(word, [seq_cst])", "news"),
    "news raised": ("typedshm.h", "+ 2, [seq_cst]", "news"),
    "sleep on the news announced": ("typedshm.h", "seen | TSHM_HEAD_AWAITED, [seq_cst]", "announce_news_sleep"),
    "word taken": ("lock/lock.c", "&word, mine, [seq_cst]", "take"),
    "word given back": ("lock/lock.c", "freed, [seq_cst])) {\n            if (word", "lock_release"),
    "fence behind the generation": ("lock/lock.c", "tshm_fence([release]);\n    presence->pid", "lock_attach"),
    "fence behind the generation put right": ("lock/lock.c", "tshm_fence([release]); /* as in", "lock_keeps_entry"),
    "generation raised": ("lock/lock.c", "generation, lock->generation, [release]", "lock_attach"),
    "generation looked at": ("lock/lock.c", "presence[entry].generation, [acquire]", "lock_owner_lives"),
    "fence before the generation is looked at": ("lock/lock.c", "tshm_fence([acquire]);", "lock_owner_lives"),
}

COMPILERS = {"gcc": lambda: cross_gcc("aarch64"), "zig": lambda: zig("aarch64-linux-gnu.2.28")}


@pytest.fixture
def core(tmp_path):
    """A copy of what is compiled."""
    return copy_core(tmp_path, PROTOCOL)


def functions(compiler, core, machine="aarch64"):
    """The instructions of each function, with what they refer to."""
    found: dict[str, list[str]] = {}
    for source, option in {
        "protocol.c": "-finline",
        "lock/lock.c": "-fno-inline",
    }.items():  # lock.c's are visible as they are
        compiled = core / f"{source}.o"
        options = ["-std=c11", "-O2", option, "-fno-sanitize=all", f"-I{core}"]
        compile_with([*compiler, *options, "-c", core / source, "-o", compiled])
        name = ""
        for line in objdump(machine, compiled).splitlines():
            if start := re.match(r"[0-9a-f]+ <(\w+)\S*>:", line):  # gcc adds words about what it did to a function
                name = start[1]
                found.setdefault(name, [])
            elif code := re.match(r"\s+[0-9a-f]+:\s+(.*)", line):
                found[name].append(code[1])
    return found


def unordered(compiler, core, machine="aarch64", orders=None):
    """The functions that lack an instruction, or have it in the wrong place."""
    if orders is None:
        orders = ORDERS if "ziglang" in compiler else ORDERS + GCC_ORDERS
    code = functions(compiler, core, machine)

    def ordered(name, patterns):
        rest = iter(code[name])
        return all(any(re.match(pattern, line) for line in rest) for pattern in patterns)

    return {name for name, *patterns in orders if not ordered(name, patterns)}


@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_order_is_in_the_machine_code(compiler, core):
    assert not unordered(COMPILERS[compiler](), core)


X86_BARRIER = r"mfence|lock or[lq]\s+\$0x0,"
X86_ORDERS = (
    ("pin", r"lock ", X86_BARRIER, r"mov|cmp"),
    ("unpin", r"lock and"),
    ("write_begin_with_pins", r"mov", X86_BARRIER, r"mov"),
    ("write_end", r"xchg\s"),  # which is locked without saying so
    ("announce_sleep", r"lock cmpxchg"),
    ("raise_room", X86_BARRIER, r"mov"),
    ("got_it", r"mov|xchg", X86_BARRIER, r"mov"),
    ("leave_place", r"lock ", X86_BARRIER, r"mov"),
    ("announce_writer", r"lock cmpxchg", X86_BARRIER),
    ("row_stamp", r"mov|cmp", r"lock cmpxchg", r"mov|cmp"),
    ("news", r"lock cmpxchg"),
    ("announce_news_sleep", r"lock cmpxchg"),
    ("epoch_step", r"lock xadd"),
)


def test_stores_before_loads_have_a_barrier_on_x86(core):
    assert not unordered(cross_gcc("x86_64"), core, "x86_64", X86_ORDERS)


@pytest.mark.parametrize("name", ["pin", "write_begin_with_pins"])
def test_a_barrier_that_is_missing_on_x86_is_noticed(core, name):
    file, text, names = SOURCES["fence behind the pin" if name == "pin" else "fence before the pins"]
    replace_once(core / file, text.replace("[seq_cst]", "seq_cst"), text.replace("[seq_cst]", "acq_rel"))
    assert unordered(cross_gcc("x86_64"), core, "x86_64", X86_ORDERS) == {names}


@pytest.mark.parametrize("place", SOURCES)
def test_an_order_that_is_missing_is_noticed(core, place):
    file, text, names = SOURCES[place]
    before, order, after = re.fullmatch(r"(?s)(.*)\[(acquire|release|seq_cst)\](.*)", text).groups()
    replace_once(core / file, before + order + after, before + "relaxed" + after)
    compiler = "gcc" if shutil.which("aarch64-linux-gnu-gcc") else "zig"
    expected = set(names.split()) - ({name for name, *_ in GCC_ORDERS} if compiler == "zig" else set())
    assert unordered(COMPILERS[compiler](), core) == expected


def test_every_order_of_the_code_has_its_place():
    """An order that stands nowhere in SOURCES is one whose instruction nobody looks for."""
    for name, source in (
        ("typedshm.h", PACKAGE / "include/typedshm.h"),
        ("lock/lock.c", PACKAGE / "_native/lock/lock.c"),
    ):
        code = re.sub(r"/\*.*?\*/|^#define.*?[^\\]$", "", source.read_text(), flags=re.DOTALL | re.MULTILINE)
        orders = re.findall(r"\b(?:acquire|release|seq_cst)\)", code)
        assert len(orders) == sum(1 for file, _, _ in SOURCES.values() if file == name)
