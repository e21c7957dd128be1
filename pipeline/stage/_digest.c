/* Digest rows of texts with SipHash-2-4 of 128 bits (Aumasson and Bernstein, 2012), keyed, the same on every machine.
 *
 * A row is one message: each text as its length in bytes in decimal digits, `:` and its bytes; a null is `-`. Of rows in groups
 * what they leave is one message: per column the text of the last row, or of the last one that is not null.
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

enum failure { NONE, NO_MEMORY, BROKEN_STREAM, SEVERAL_CHUNKS };

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

static inline bool
is_present(const struct ArrowArray *column, size_t at)
{
    const uint8_t *valid = column->buffers[0];
    return valid == NULL || (valid[at / 8] >> (at % 8) & 1);
}

/* Append what the rows `first` to `last` leave in a column; where `filled`, a null leaves what was there before. */
static bool
put_cell(Message *message, const struct ArrowArray *column, size_t first, size_t last, bool filled)
{
    size_t at = last;
    while (filled && at > first && !is_present(column, at)) at--;
    const View *view = (const View *)column->buffers[1] + at;
    bool present = is_present(column, at);
    size_t length = present ? (size_t)view->length : 0;
    if (!reserve((void **)&message->bytes, &message->capacity, message->used + length + LENGTH_DIGITS + 1, 1)) return false;
    if (!present) {
        message->bytes[message->used++] = '-';
        return true;
    }
    const uint8_t *text = view->start;
    if (length > INLINE_MAX) text = (const uint8_t *)column->buffers[2 + view->buffer] + view->offset;
    put_length(message, (uint32_t)length);
    memcpy(message->bytes + message->used, text, length);
    message->used += length;
    return true;
}

/* Return the last row that has the number of row `first`; each row is one of its own where there are no numbers. */
static inline int64_t
last_of(const struct ArrowArray *rows, int64_t first, bool numbered)
{
    if (!numbered) return first;
    const struct ArrowArray *column = rows->children[0];
    const uint32_t *numbers = (const uint32_t *)column->buffers[1] + rows->offset + column->offset;
    int64_t last = first;
    while (last + 1 < rows->length && numbers[last + 1] == numbers[first]) last++;
    return last;
}

static bool
digest_rows(Digests *found, Message *message, const uint64_t key[2], const struct ArrowArray *rows, const char *filled, bool numbered)
{
    size_t most = found->rows + (size_t)rows->length;
    if (!reserve((void **)&found->high, &found->room_high, most, 8) || !reserve((void **)&found->low, &found->room_low, most, 8))
        return false;
    for (int64_t first = 0, last; first < rows->length; first = last + 1) {
        last = last_of(rows, first, numbered);
        message->used = 0;
        for (int64_t i = numbered; i < rows->n_children; i++) {
            const struct ArrowArray *column = rows->children[i];
            size_t start = (size_t)(rows->offset + column->offset);
            if (!put_cell(message, column, start + (size_t)first, start + (size_t)last, filled[i - numbered])) return false;
        }
        sip(key, message->bytes, message->used, &found->high[found->rows], &found->low[found->rows]);
        found->rows++;
    }
    return true;
}

static enum failure
digest_all(Digests *found, const uint64_t key[2], struct ArrowArrayStream *stream, const char *filled, bool numbered)
{
    Message message = {0};
    enum failure failure = reserve((void **)&message.bytes, &message.capacity, 1, 1) ? NONE : NO_MEMORY;
    for (bool again = false; failure == NONE; again = true) {
        struct ArrowArray rows = {0};
        if (stream->get_next(stream, &rows) != 0) failure = BROKEN_STREAM;
        else if (rows.release == NULL) break;
        else if (numbered && again) failure = SEVERAL_CHUNKS; /* rows of one number could be in two of them */
        else if (!digest_rows(found, &message, key, &rows, filled, numbered)) failure = NO_MEMORY;
        if (rows.release != NULL) rows.release(&rows);
    }
    free(message.bytes);
    return failure;
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

/* Return the number of text columns, -1 with an error set where there is another one; `numbered` says whether numbers come first. */
static int64_t
text_columns(struct ArrowArrayStream *stream, bool *numbered)
{
    struct ArrowSchema schema = {0};
    if (stream->get_schema(stream, &schema) != 0) {
        PyErr_SetString(PyExc_ValueError, "the columns could not be read");
        return -1;
    }
    *numbered = schema.n_children > 0 && strcmp(schema.children[0]->format, "I") == 0;
    int64_t count = schema.n_children - *numbered;
    for (int64_t i = *numbered; i < schema.n_children && !PyErr_Occurred(); i++)
        if (strcmp(schema.children[i]->format, "vu") != 0)
            PyErr_Format(PyExc_TypeError, "column %lld is no text", (long long)i);
    schema.release(&schema);
    return PyErr_Occurred() ? -1 : count;
}

static PyObject *
digest_stream(struct ArrowArrayStream *stream, const uint64_t key[2], const char *filled, bool numbered)
{
    Digests found = {0};
    PyObject *table = NULL;
    enum failure failure = NO_MEMORY;
    if (reserve((void **)&found.high, &found.room_high, 1, 8) && reserve((void **)&found.low, &found.room_low, 1, 8)) {
        Py_BEGIN_ALLOW_THREADS
        failure = digest_all(&found, key, stream, filled, numbered);
        Py_END_ALLOW_THREADS
    }
    if (failure == NONE) table = table_of(&found);
    else if (failure == NO_MEMORY) PyErr_NoMemory();
    else PyErr_SetString(PyExc_ValueError, failure == SEVERAL_CHUNKS ? "numbered rows are in several chunks" : "the rows could not be read");
    free(found.high);
    free(found.low);
    return table;
}

static PyObject *
digests(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *frame, *found = NULL;
    const char *key, *filled;
    Py_ssize_t key_length, filled_length;
    uint64_t words[2];
    bool numbered = false;
    if (!PyArg_ParseTuple(args, "Oy#y#", &frame, &key, &key_length, &filled, &filled_length)) return NULL;
    if (key_length != KEY_BYTES) {
        PyErr_SetString(PyExc_ValueError, "the key has 16 bytes");
        return NULL;
    }
    memcpy(words, key, KEY_BYTES);
    PyObject *capsule = PyObject_CallMethod(frame, "__arrow_c_stream__", NULL);
    if (capsule == NULL) return NULL;
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
    int64_t texts = stream == NULL ? -1 : text_columns(stream, &numbered);
    if (texts >= 0 && texts != filled_length) PyErr_SetString(PyExc_ValueError, "there is a byte per text column");
    else if (texts >= 0) found = digest_stream(stream, words, filled, numbered);
    Py_DECREF(capsule);
    return found;
}

static PyMethodDef functions[] = {
    {"digests", digests, METH_VARARGS, "Digest the rows of a frame of text columns, or what rows with one number leave, under a key."},
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
