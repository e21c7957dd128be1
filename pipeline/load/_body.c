/* Write columns of text as the JSON array that an import takes (API sheet 11): an object per row, every value a string.
 *
 * The columns come over the Arrow C stream interface as string views, which is how polars keeps them, so nothing is
 * converted on the way. All memory of Arrow is read only and given back; the GIL is free while rows are written.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../extract/_arrow_abi.h"

#define INLINE_MAX 12                  /* longest text that stands in its view */
#define LONGEST_ESCAPE 6               /* \u001f */

enum failure { NONE, NO_MEMORY, BROKEN_STREAM };

typedef struct { uint8_t *bytes; size_t used, capacity; } Text;
typedef struct { int32_t length; uint8_t start[4]; int32_t buffer, offset; } View;

static const char HEX[] = "0123456789abcdef";

static bool
room(Text *text, size_t more)
{
    if (text->capacity - text->used >= more) return true;
    size_t wanted = text->capacity * 2 > text->used + more ? text->capacity * 2 : text->used + more;
    uint8_t *moved = realloc(text->bytes, wanted);
    if (moved == NULL) return false;
    text->bytes = moved;
    text->capacity = wanted;
    return true;
}

/* Say whether none of eight bytes needs an escape: a control character, a quote, a backslash. */
static bool
is_plain(uint64_t eight)
{
    const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
    uint64_t quote = eight ^ ones * '"', slash = eight ^ ones * '\\';
    uint64_t found = ((eight - ones * 0x20) & ~eight) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
    return (found & tops) == 0;
}

/* Append a text, eight bytes at a time where they are plain; there is room for LONGEST_ESCAPE times `length`. */
static void
put_escaped(Text *text, const uint8_t *value, size_t length)
{
    uint8_t *to = text->bytes + text->used;
    for (size_t i = 0; i < length; i++) {
        uint64_t eight;
        while (length - i >= 8 && (memcpy(&eight, value + i, 8), is_plain(eight))) {
            memcpy(to, &eight, 8);
            to += 8;
            i += 8;
        }
        if (i == length) break;
        uint8_t c = value[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            *to++ = c;
            continue;
        }
        *to++ = '\\';
        switch (c) {
        case '"': case '\\': *to++ = c; break;
        case '\b': *to++ = 'b'; break;
        case '\t': *to++ = 't'; break;
        case '\n': *to++ = 'n'; break;
        case '\f': *to++ = 'f'; break;
        case '\r': *to++ = 'r'; break;
        default:
            memcpy(to, "u00", 3);
            to[3] = (uint8_t)HEX[c >> 4];
            to[4] = (uint8_t)HEX[c & 15];
            to += 5;
        }
    }
    text->used = (size_t)(to - text->bytes);
}

static void
put(Text *text, const void *bytes, size_t length)
{
    memcpy(text->bytes + text->used, bytes, length);
    text->used += length;
}

/* Write what stands before the value of each column: `{"a":"` and `","b":"`; false with an error set. */
static bool
write_labels(Text *labels, PyObject *names)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        Py_ssize_t length;
        const char *name = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(names, i), &length);
        if (name == NULL) return false;
        if (!room(&labels[i], (size_t)length * LONGEST_ESCAPE + 8)) {
            PyErr_NoMemory();
            return false;
        }
        if (i == 0) put(&labels[i], "{\"", 2);
        else put(&labels[i], "\",\"", 3);
        put_escaped(&labels[i], (const uint8_t *)name, (size_t)length);
        put(&labels[i], "\":\"", 3);
    }
    return true;
}

static bool
write_rows(Text *body, const Text *labels, const struct ArrowArray *rows)
{
    for (int64_t row = 0; row < rows->length; row++) {
        for (int64_t i = 0; i < rows->n_children; i++) {
            const struct ArrowArray *column = rows->children[i];
            size_t at = (size_t)(row + rows->offset + column->offset);
            const uint8_t *valid = column->buffers[0];
            const View *view = (const View *)column->buffers[1] + at;
            bool present = valid == NULL || (valid[at / 8] >> (at % 8) & 1);
            size_t length = present ? (size_t)view->length : 0;
            const uint8_t *value = view->start;
            if (length > INLINE_MAX) value = (const uint8_t *)column->buffers[2 + view->buffer] + view->offset;
            if (!room(body, labels[i].used + length * LONGEST_ESCAPE + 4)) return false;
            put(body, labels[i].bytes, labels[i].used);
            put_escaped(body, value, length);
        }
        put(body, "\"},", 3);
    }
    return true;
}

static enum failure
write_all(Text *body, const Text *labels, struct ArrowArrayStream *stream)
{
    if (!room(body, 2)) return NO_MEMORY;
    put(body, "[", 1);
    for (;;) {
        struct ArrowArray rows = {0};
        if (stream->get_next(stream, &rows) != 0) return BROKEN_STREAM;
        if (rows.release == NULL) break;
        bool done = write_rows(body, labels, &rows);
        rows.release(&rows);
        if (!done) return NO_MEMORY;
    }
    if (!room(body, 1)) return NO_MEMORY;
    if (body->used > 1) body->used--; /* the comma behind the last row */
    put(body, "]", 1);
    return NONE;
}

static PyObject *
write_body(const Text *labels, struct ArrowArrayStream *stream)
{
    Text body = {0};
    enum failure failure;
    Py_BEGIN_ALLOW_THREADS
    failure = write_all(&body, labels, stream);
    Py_END_ALLOW_THREADS
    PyObject *found = NULL;
    if (failure == NONE) found = PyBytes_FromStringAndSize((const char *)body.bytes, (Py_ssize_t)body.used);
    else if (failure == NO_MEMORY) PyErr_NoMemory();
    else PyErr_SetString(PyExc_ValueError, "the rows could not be read");
    free(body.bytes);
    return found;
}

/* Say whether the columns are as many as the names, and texts; false with an error set. */
static bool
are_texts(struct ArrowArrayStream *stream, PyObject *names)
{
    struct ArrowSchema schema = {0};
    if (stream->get_schema(stream, &schema) != 0) {
        PyErr_SetString(PyExc_ValueError, "the columns could not be read");
        return false;
    }
    if (schema.n_children != PyTuple_GET_SIZE(names))
        PyErr_SetString(PyExc_ValueError, "the columns are not as many as their names");
    for (int64_t i = 0; i < schema.n_children && !PyErr_Occurred(); i++)
        if (strcmp(schema.children[i]->format, "vu") != 0)
            PyErr_Format(PyExc_TypeError, "column %lld is no text", (long long)i);
    schema.release(&schema);
    return !PyErr_Occurred();
}

static PyObject *
rows_json(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *frame, *names, *found = NULL;
    if (!PyArg_ParseTuple(args, "OO!", &frame, &PyTuple_Type, &names)) return NULL;
    PyObject *capsule = PyObject_CallMethod(frame, "__arrow_c_stream__", NULL);
    if (capsule == NULL) return NULL;
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
    size_t count = (size_t)PyTuple_GET_SIZE(names);
    Text *labels = calloc(count + 1, sizeof *labels);
    if (labels == NULL) PyErr_NoMemory();
    else if (stream != NULL && are_texts(stream, names) && write_labels(labels, names)) found = write_body(labels, stream);
    for (size_t i = 0; labels != NULL && i < count; i++) free(labels[i].bytes);
    free(labels);
    Py_DECREF(capsule);
    return found;
}

static PyMethodDef functions[] = {
    {"rows_json", rows_json, METH_VARARGS, "Write a frame of text columns as a JSON array of objects, under the names given."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_body", "Write rows as the JSON of an import.", -1, functions, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__body(void)
{
    return PyModule_Create(&module);
}
