/* Text in its encodings, and raw bytes. */
#include "struct/text.h"

/* ---- text in Unicode ----------------------------------------------------------------------- */

Py_ssize_t text_size(const char *from, Py_ssize_t size, Py_ssize_t unit) {
    if (unit == 1) {
        const char *end = memchr(from, 0, (size_t)size);
        return end ? end - from : size;
    }
    static const char zero[4];
    for (Py_ssize_t at = 0; at < size; at += unit)
        if (memcmp(from + at, zero, (size_t)unit) == 0)
            return at;
    return size;
}

static PyObject *text_get(Field *field, PyObject *instance) {
    Py_buffer view;
    const char *from = field_open(field, instance, STRUCT_READ, &view);
    if (!from)
        return NULL;
    Py_ssize_t unit = field->codec->width;
    Py_ssize_t size = text_size(from, field->size, unit);
    int order = PY_LITTLE_ENDIAN != field->swapped ? -1 : 1; /* -1: the bytes are little-endian */
    PyObject *text = unit == 1   ? PyUnicode_DecodeUTF8(from, size, "strict")
                     : unit == 2 ? PyUnicode_DecodeUTF16(from, size, "strict", &order)
                                 : PyUnicode_DecodeUTF32(from, size, "strict", &order);
    PyObject *raw = NULL;
    if (!text && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        raw = PyBytes_FromStringAndSize(from, size);
    }
    struct_close(&view);
    if (raw) {
        field_refuse(field, raw, "decode");
        Py_DECREF(raw);
    }
    return text;
}

static int text_store(Field *field, PyObject *instance, PyObject *value, const char *from, Py_ssize_t size) {
    if (text_size(from, size, field->codec->width) != size)
        return field_refuse(field, value, "nul");
    if (size > field->size)
        return field_refuse(field, value, "length");
    return field_store(field, instance, from, size);
}

static int utf8_set(Field *field, PyObject *instance, PyObject *value) {
    if (!PyUnicode_Check(value))
        return field_refuse(field, value, "type");
    Py_ssize_t size;
    const char *from = PyUnicode_AsUTF8AndSize(value, &size);
    if (!from)
        return PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) ? field_refuse(field, value, "encode") : -1;
    return text_store(field, instance, value, from, size);
}

/* What is stored has to be what was given, so that nothing is ever replaced. */
static int encoded_set(Field *field, PyObject *instance, PyObject *value, const char *encoding) {
    PyObject *encoded = PyUnicode_AsEncodedString(value, encoding, "strict");
    if (!encoded)
        return PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) ? field_refuse(field, value, "encode") : -1;
    char *from;
    Py_ssize_t size;
    int result = -1;
    if (PyBytes_AsStringAndSize(encoded, &from, &size) == 0)
        result = text_store(field, instance, value, from, size);
    Py_DECREF(encoded);
    return result;
}

static int wide_set(Field *field, PyObject *instance, PyObject *value) {
    if (!PyUnicode_Check(value))
        return field_refuse(field, value, "type");
    bool little = PY_LITTLE_ENDIAN != field->swapped;
    return encoded_set(field, instance, value,
                       field->codec->width == 2 ? (little ? "utf-16-le" : "utf-16-be")
                                                : (little ? "utf-32-le" : "utf-32-be"));
}

/* ---- text in any encoding of Python's: extra = (encoding, errors) -------------------------- */

static PyObject *coded_get(Field *field, PyObject *instance) {
    Py_buffer view;
    const char *from = field_open(field, instance, STRUCT_READ, &view);
    if (!from)
        return NULL;
    PyObject *raw = PyBytes_FromStringAndSize(from, text_size(from, field->size, field->codec->width));
    struct_close(&view);
    if (!raw)
        return NULL;
    /* only now: codecs may be written in Python */
    const char *encoding = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(field->extra, 0), NULL);
    const char *errors = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(field->extra, 1), NULL);
    PyObject *text = encoding && errors ? PyUnicode_FromEncodedObject(raw, encoding, errors) : NULL;
    if (!text && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        field_refuse(field, raw, "decode");
    Py_DECREF(raw);
    return text;
}

static int coded_set(Field *field, PyObject *instance, PyObject *value) {
    if (!PyUnicode_Check(value))
        return field_refuse(field, value, "type");
    const char *encoding = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(field->extra, 0), NULL);
    return encoding ? encoded_set(field, instance, value, encoding) : -1;
}

/* ---- raw bytes ----------------------------------------------------------------------------- */

static PyObject *raw_get(Field *field, PyObject *instance) {
    Py_buffer view;
    const char *from = field_open(field, instance, STRUCT_READ, &view);
    if (!from)
        return NULL;
    PyObject *bytes = PyBytes_FromStringAndSize(from, field->size);
    struct_close(&view);
    return bytes;
}

static int raw_set(Field *field, PyObject *instance, PyObject *value) {
    Py_buffer source;
    if (!PyObject_CheckBuffer(value) || PyObject_GetBuffer(value, &source, PyBUF_SIMPLE) < 0)
        return field_refuse(field, value, "type");
    int result = source.len == field->size ? field_store(field, instance, source.buf, source.len)
                                           : field_refuse(field, value, "length");
    PyBuffer_Release(&source);
    return result;
}

const field_codec text_codecs[] = {
    {"utf8", text_get, utf8_set, NULL, 1, false, 0},
    {"utf16", text_get, wide_set, NULL, 2, false, 0},
    {"utf32", text_get, wide_set, NULL, 4, false, 0},
    {"text in units of 1", coded_get, coded_set, NULL, 1, false, 2},
    {"text in units of 2", coded_get, coded_set, NULL, 2, false, 2},
    {"text in units of 4", coded_get, coded_set, NULL, 4, false, 2},
    {"bytes", raw_get, raw_set, NULL, 1, false, 0},
    {NULL, NULL, NULL, NULL, 0, false, 0},
};
