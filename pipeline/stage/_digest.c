/* Digest rows of texts with SipHash-2-4 of 128 bits (Aumasson and Bernstein, 2012), keyed, the same on every machine.
 *
 * A row is one message: a prefix, then each text as its length in bytes in decimal digits, `:` and its bytes; a null is `-`.
 * Columns come over the Arrow C stream interface as string views. All memory of Arrow is read only and given back; the GIL
 * is free while rows are digested.
 */
#define MODULE "pipeline.stage._digest"

/* The texts of the tables are built by the readers only. */
#pragma GCC diagnostic ignored "-Wunused-function"
#include "../extract/_arrow.h"

#define KEY_BYTES 16
#define LENGTH_DIGITS 10               /* of a 32-bit length */

typedef struct { uint8_t *bytes; size_t used, capacity; } Message;
typedef struct { int32_t length; uint8_t start[4]; int32_t buffer, offset; } View;
typedef struct { uint64_t *high, *low; size_t rows, room_high, room_low; } Digests;

enum failure { NONE, NO_MEMORY, BROKEN_STREAM };

static inline uint64_t
rotated(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void
rounds(uint64_t v[4], int count)
{
    while (count-- > 0) {
        v[0] += v[1]; v[1] = rotated(v[1], 13) ^ v[0]; v[0] = rotated(v[0], 32);
        v[2] += v[3]; v[3] = rotated(v[3], 16) ^ v[2];
        v[0] += v[3]; v[3] = rotated(v[3], 21) ^ v[0];
        v[2] += v[1]; v[1] = rotated(v[1], 17) ^ v[2]; v[2] = rotated(v[2], 32);
    }
}

static void
sip(const uint64_t key[2], const uint8_t *bytes, size_t length, uint64_t *first, uint64_t *second)
{
    uint64_t v[4] = {
        key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du ^ 0xee,
        key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u,
    };
    uint64_t word, last = (uint64_t)length << 56;
    size_t at = 0;
    for (; length - at >= 8; at += 8) {
        memcpy(&word, bytes + at, 8);
        v[3] ^= word;
        rounds(v, 2);
        v[0] ^= word;
    }
    for (int shift = 0; at < length; at++, shift += 8) last |= (uint64_t)bytes[at] << shift;
    v[3] ^= last;
    rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xee;
    rounds(v, 4);
    *first = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    rounds(v, 4);
    *second = v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Append a length and its colon; there is room for LENGTH_DIGITS + 1 bytes. */
static inline void
put_length(Message *message, uint32_t length)
{
    uint8_t digits[LENGTH_DIGITS];
    int count = 0;
    do digits[count++] = (uint8_t)('0' + length % 10);
    while (length /= 10);
    while (count > 0) message->bytes[message->used++] = digits[--count];
    message->bytes[message->used++] = ':';
}

static bool
put_row(Message *message, const struct ArrowArray *rows, int64_t row)
{
    for (int64_t i = 0; i < rows->n_children; i++) {
        const struct ArrowArray *column = rows->children[i];
        size_t at = (size_t)(row + rows->offset + column->offset);
        const uint8_t *valid = column->buffers[0];
        const View *view = (const View *)column->buffers[1] + at;
        bool present = valid == NULL || (valid[at / 8] >> (at % 8) & 1);
        size_t length = present ? (size_t)view->length : 0;
        if (!reserve((void **)&message->bytes, &message->capacity, message->used + length + LENGTH_DIGITS + 1, 1)) return false;
        if (!present) {
            message->bytes[message->used++] = '-';
            continue;
        }
        const uint8_t *text = view->start;
        if (length > INLINE_MAX) text = (const uint8_t *)column->buffers[2 + view->buffer] + view->offset;
        put_length(message, (uint32_t)length);
        memcpy(message->bytes + message->used, text, length);
        message->used += length;
    }
    return true;
}

static enum failure
digest_all(Digests *found, Message *message, const uint64_t key[2], struct ArrowArrayStream *stream)
{
    const size_t prefix = message->used;
    for (;;) {
        struct ArrowArray rows = {0};
        if (stream->get_next(stream, &rows) != 0) return BROKEN_STREAM;
        if (rows.release == NULL) return NONE;
        size_t needed = found->rows + (size_t)rows.length;
        bool room = reserve((void **)&found->high, &found->room_high, needed, 8) &&
                    reserve((void **)&found->low, &found->room_low, needed, 8);
        for (int64_t row = 0; room && row < rows.length; row++) {
            message->used = prefix;
            room = put_row(message, &rows, row);
            if (room) sip(key, message->bytes, message->used, &found->high[found->rows], &found->low[found->rows]);
            found->rows += room;
        }
        rows.release(&rows);
        if (!room) return NO_MEMORY;
    }
}

/* Move the digests into a table of two columns; NULL with an error set. */
static PyObject *
table_of(Digests *found)
{
    struct ArrowSchema *schema;
    struct ArrowArray *array;
    Table *table = new_table(found->rows, 2, &schema, &array);
    if (table == NULL) return NULL;
    void *high = found->high, *low = found->low;
    found->high = found->low = NULL;
    bool done = export_numbers(&high, "L", "high", 0, schema, array);
    done = export_numbers(&low, "L", "low", 1, schema, array) && done;
    free(high);
    free(low);
    if (done) return (PyObject *)table;
    Py_DECREF((PyObject *)table);
    return PyErr_NoMemory();
}

/* Say whether all columns are texts; false with an error set. */
static bool
are_texts(struct ArrowArrayStream *stream)
{
    struct ArrowSchema schema = {0};
    if (stream->get_schema(stream, &schema) != 0) {
        PyErr_SetString(PyExc_ValueError, "the columns could not be read");
        return false;
    }
    for (int64_t i = 0; i < schema.n_children && !PyErr_Occurred(); i++)
        if (strcmp(schema.children[i]->format, "vu") != 0)
            PyErr_Format(PyExc_TypeError, "column %lld is no text", (long long)i);
    schema.release(&schema);
    return !PyErr_Occurred();
}

static PyObject *
digest_stream(struct ArrowArrayStream *stream, const uint64_t key[2], const uint8_t *prefix, size_t length)
{
    Digests found = {0};
    Message message = {0};
    PyObject *table = NULL;
    enum failure failure = NO_MEMORY;
    if (reserve((void **)&message.bytes, &message.capacity, length + 1, 1) &&
        reserve((void **)&found.high, &found.room_high, 1, 8) && reserve((void **)&found.low, &found.room_low, 1, 8)) {
        memcpy(message.bytes, prefix, length);
        message.used = length;
        Py_BEGIN_ALLOW_THREADS
        failure = digest_all(&found, &message, key, stream);
        Py_END_ALLOW_THREADS
    }
    if (failure == NONE) table = table_of(&found);
    else if (failure == NO_MEMORY) PyErr_NoMemory();
    else PyErr_SetString(PyExc_ValueError, "the rows could not be read");
    free(message.bytes);
    free(found.high);
    free(found.low);
    return table;
}

static PyObject *
digests(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *frame, *found = NULL;
    const char *key, *prefix;
    Py_ssize_t key_length, prefix_length;
    uint64_t words[2];
    if (!PyArg_ParseTuple(args, "Oy#y#", &frame, &key, &key_length, &prefix, &prefix_length)) return NULL;
    if (key_length != KEY_BYTES) {
        PyErr_SetString(PyExc_ValueError, "the key has 16 bytes");
        return NULL;
    }
    memcpy(words, key, KEY_BYTES);
    PyObject *capsule = PyObject_CallMethod(frame, "__arrow_c_stream__", NULL);
    if (capsule == NULL) return NULL;
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
    if (stream != NULL && are_texts(stream))
        found = digest_stream(stream, words, (const uint8_t *)prefix, (size_t)prefix_length);
    Py_DECREF(capsule);
    return found;
}

static PyMethodDef functions[] = {
    {"digests", digests, METH_VARARGS, "Digest the rows of a frame of text columns under a key, behind a prefix."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_digest", "Digest rows of texts.", -1, functions, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__digest(void)
{
    PyObject *m = PyModule_Create(&module);
    if (m == NULL) return NULL;
    TableType = add_type(m, &table_spec, "Table");
    if (TableType != NULL) return m;
    Py_DECREF(m);
    return NULL;
}
