/* The Rows object: a table as its verbs see it. typedshm.table.table.Table is its subclass. */
#ifndef TYPEDSHM_ROWS_H
#define TYPEDSHM_ROWS_H

#include "ring/opened.h"
#include "rows/held.h"

typedef struct {
    OPENED_HEAD
    HeldRows *held;
    tshm_table table;       /* checked */
    PyObject *keys;         /* {key: number}, or NULL */
    PyObject *copy_words;   /* the message of who writes to a row that was read */
    tshm_atomic_u64 filled; /* rows from the first on that were seen to hold something */
} Rows;

/* Raises what Table._fail(what) says; always NULL. */
static inline PyObject *rows_fail(Rows *rows, const char *what) {
    return opened_fail(rows, what);
}
/* Raises what Table._fail_rows(what, numbers) says, with the numbers of rows as bytes; always NULL. */
PyObject *rows_fail_for(Rows *rows, const char *what, const int64_t *numbers, size_t count);
/* Raises why held_take() did not take a row; always false. */
bool rows_fail_taken(Rows *rows, uint64_t number, int result);
/* The number of one row, as users name it. False and an error set if there is none. */
bool rows_number(Rows *rows, PyObject *key, uint64_t *number);
/* True if values may be written; false and an error set if not. */
bool rows_may_write(Rows *rows);
/* Somebody may sleep on the news. */
void rows_wake(Rows *rows);

/* Many rows, as Python's part has made of what users give: (start, step, count), or numbers in a buffer, those below
 * zero from the end. The numbers are copied, since the buffer is a user's array: another thread may change it while a
 * verb is at work without the GIL, and what was checked would be no row any more. */
typedef struct {
    uint64_t *numbers; /* NULL: a range */
    int64_t start, step, rows;
    size_t count;
} rows_index;

/* False and an error set if the object is neither, a number is out of range, or there is no memory. */
bool rows_index_open(Rows *rows, PyObject *object, rows_index *index);
void rows_index_close(rows_index *index);
static inline uint64_t rows_index_at(const rows_index *index, size_t i) {
    if (index->numbers)
        return index->numbers[i];
    int64_t number = index->start + (int64_t)i * index->step;
    return (uint64_t)(number < 0 ? number + index->rows : number);
}

/* Numbers of rows, or positions, that grow. */
typedef struct {
    int64_t *items;
    size_t count, room;
} rows_list;

/* Without the GIL, too. False: no memory. */
bool rows_list_add(rows_list *list, int64_t item);
void rows_list_free(rows_list *list);

/* Tell it the type that rows_check() looks for. */
void rows_set_type(PyTypeObject *rows);
bool rows_check(PyObject *object);

#endif
