/* The extension module: one line per noun. */
#include "checksum.h"
#include "codecs.h"
#include "lock/guard.h"
#include "lock/mutex.h"
#include "lock/writers_lock.h"
#include "lock/task.h"
#include "memory/byte_locks.h"
#include "memory/files.h"
#include "memory/header.h"
#include "memory/mapping.h"
#include "memory/words.h"
#include "missing.h"
#include "ring/batch.h"
#include "ring/block.h"
#include "ring/borrow.h"
#include "ring/follower_type.h"
#include "ring/following.h"
#include "ring/history.h"
#include "ring/internal.h"
#include "ring/opened.h"
#include "ring/pin.h"
#include "ring/position.h"
#include "ring/publishing.h"
#include "ring/registered.h"
#include "ring/ring_type.h"
#include "ring/slots.h"
#include "ring/values.h"
#include "ring/view.h"
#include "rows/changes.h"
#include "rows/held.h"
#include "rows/row_block.h"
#include "rows/row_publishing.h"
#include "rows/row_set.h"
#include "rows/rows_type.h"
#include "struct/array.h"
#include "struct/construction.h"
#include "struct/datetime.h"
#include "struct/extents.h"
#include "struct/field.h"
#include "struct/fields.h"
#include "struct/lease.h"
#include "struct/numpy.h"
#include "struct/origin.h"
#include "struct/struct.h"
#include "struct/whole.h"
#include "wait/flag.h"
#include "wait/several.h"
#include "wait/thread.h"
#include "wait/waitset.h"
#ifdef _WIN32
#include "memory/directory_windows.h"
#include "lock/kernel_mutex_windows.h"
#include "memory/section_windows.h"
#include "memory/security_windows.h"
#include "wait/event_windows.h"
#else
#include "memory/segments.h"
#endif

static int (*const parts[])(PyObject *module) = {
    struct_register,        numpy_register,        lease_register,
    origin_register,        field_register,        extents_register,
    fields_register,        construction_register, whole_register,
    codecs_register,        datetime_register,     mapping_register,
    header_register,        byte_locks_register,   files_register,
#ifdef _WIN32
    security_register,      section_register,      directory_register,
    kernel_mutex_register,  event_register,
#else
    segments_register,
#endif
    words_register,         writers_lock_register, mutex_register,
    guard_register,         task_register,         position_register,
    slots_register,         values_register,       opened_register,
    ring_type_register,     internal_register,     block_register,
    pin_register,           borrow_register,       view_register,
    waitset_register,       thread_register,       missing_register,
    array_register,         held_register,         rows_type_register,
    row_block_register,     row_set_register,      changes_register,
    follower_type_register, registered_register,   following_register,
    history_register,       flag_register,         several_register,
    batch_register,         publishing_register,   row_publishing_register,
    checksum_register,
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                                        "_native",
                                        "The C core of typedshm: integers and buffers in, integers and buffers out.",
                                        -1,
                                        NULL,
                                        NULL,
                                        NULL,
                                        NULL,
                                        NULL};

PyMODINIT_FUNC PyInit__native(void) {
    PyObject *module = PyModule_Create(&definition);
    if (!module)
        return NULL;
#ifdef Py_GIL_DISABLED
    PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i](module) == 0)
            continue;
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
