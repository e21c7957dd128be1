/* Digest rows of texts with SipHash-1-3 of 128 bits (Aumasson and Bernstein, 2012), keyed, the same on every machine.
 *
 * A row is one message: each text as its length in bytes in decimal digits, `:` and its bytes; a null is `-`. Of rows in groups
 * what they leave is one message: per column the text of the last row, or of the last one that is not null.
 * Units are digested twice: their key, in lower case where it is ASCII, and what their rows leave.
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
typedef struct { uint64_t first, second; } Key;

/* What is made of a frame, a value per row or per group of rows. */
enum { KEY_HIGH, KEY_LOW, HIGH, LOW, SPELLING, MARKS, WIDTH };
typedef struct { void *columns[WIDTH]; size_t rows; } Found;
static const char *const NAMES[WIDTH] = {"key_high", "key_low", "high", "low", "spelling", "marks"};
static const char *const FORMATS[WIDTH] = {"L", "L", "L", "L", "I", "C"};
static const size_t SIZES[WIDTH] = {8, 8, 8, 8, 4, 1};

enum { NOT_ASCII = 1, SEVERAL_SPELLINGS = 2 };  /* marks */

/* `keys` of the text columns, the first ones, are the key; the others are what is left, each with a byte in `filled`. */
typedef struct { Key of_keys, of_rows; int64_t keys; const char *filled; bool numbered; } Task;

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
sip(Key key, const Message *message, uint64_t *first, uint64_t *second)
{
    const uint8_t *bytes = message->bytes;
    size_t length = message->used;
    uint64_t v[4] = {
        key.first ^ 0x736f6d6570736575u, key.second ^ 0x646f72616e646f6du ^ 0xee,
        key.first ^ 0x6c7967656e657261u, key.second ^ 0x7465646279746573u,
    };
    uint64_t word, last = (uint64_t)length << 56;
    size_t at = 0;
    for (; length - at >= 8; at += 8) {
        memcpy(&word, bytes + at, 8);
        v[3] ^= word;
        rounds(v, 1);
        v[0] ^= word;
    }
    for (int shift = 0; at < length; at++, shift += 8) last |= (uint64_t)bytes[at] << shift;
    v[3] ^= last;
    rounds(v, 1);
    v[0] ^= last;
    v[2] ^= 0xee;
    rounds(v, 3);
    *first = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    rounds(v, 3);
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

/* Return the text of a cell that is present. */
static inline const uint8_t *
text_of(const struct ArrowArray *column, size_t at, size_t *length)
{
    const View *view = (const View *)column->buffers[1] + at;
    *length = (size_t)view->length;
    if (*length <= INLINE_MAX) return view->start;
    return (const uint8_t *)column->buffers[2 + view->buffer] + view->offset;
}

static inline bool
is_same(const struct ArrowArray *column, size_t one, size_t other)
{
    if (!is_present(column, one) || !is_present(column, other)) return is_present(column, one) == is_present(column, other);
    size_t length, of_other;
    const uint8_t *text = text_of(column, one, &length), *text_of_other = text_of(column, other, &of_other);
    return length == of_other && memcmp(text, text_of_other, length) == 0;
}

/* Append what the rows `first` to `last` leave in a column; where `filled`, a null leaves what was there before. */
static bool
put_cell(Message *message, const struct ArrowArray *column, size_t first, size_t last, bool filled)
{
    size_t at = last, length = 0;
    while (filled && at > first && !is_present(column, at)) at--;
    const uint8_t *text = is_present(column, at) ? text_of(column, at, &length) : NULL;
    if (!reserve((void **)&message->bytes, &message->capacity, message->used + length + LENGTH_DIGITS + 1, 1)) return false;
    if (text == NULL) {
        message->bytes[message->used++] = '-';
        return true;
    }
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

/* Turn ASCII into lower case, and return whether it was another. Lengths in a message stay as they are. */
static bool
lowered(Message *message)
{
    bool changed = false;
    for (size_t i = 0; i < message->used; i++) {
        bool upper = message->bytes[i] >= 'A' && message->bytes[i] <= 'Z';
        message->bytes[i] |= (uint8_t)(upper << 5);
        changed |= upper;
    }
    return changed;
}

/* Digest the key of a unit, which is that of its last row: as it is spelled, then in lower case. */
static bool
digest_key(Found *found, Message *message, const Task *task, const struct ArrowArray *rows, size_t first, size_t last)
{
    uint64_t *high = (uint64_t *)found->columns[KEY_HIGH] + found->rows, *low = (uint64_t *)found->columns[KEY_LOW] + found->rows;
    uint8_t marks = 0, above = 0;
    message->used = 0;
    for (int64_t i = 0; i < task->keys; i++) {
        const struct ArrowArray *column = rows->children[i + task->numbered];
        size_t start = (size_t)(rows->offset + column->offset);
        if (!put_cell(message, column, start + last, start + last, false)) return false;
        for (size_t row = first; row < last; row++)
            if (!is_same(column, start + row, start + last)) marks |= SEVERAL_SPELLINGS;
    }
    for (size_t i = 0; i < message->used; i++) above |= message->bytes[i];
    if (above & 0x80) marks |= NOT_ASCII;
    sip(task->of_keys, message, high, low);
    ((uint32_t *)found->columns[SPELLING])[found->rows] = (uint32_t)*low;
    if (lowered(message)) sip(task->of_keys, message, high, low);
    ((uint8_t *)found->columns[MARKS])[found->rows] = marks;
    return true;
}

static bool
digest_rows(Found *found, Message *message, const Task *task, const struct ArrowArray *rows)
{
    for (int64_t first = 0, last; first < rows->length; first = last + 1) {
        last = last_of(rows, first, task->numbered);
        if (task->keys > 0 && !digest_key(found, message, task, rows, (size_t)first, (size_t)last)) return false;
        message->used = 0;
        for (int64_t i = task->numbered + task->keys; i < rows->n_children; i++) {
            const struct ArrowArray *column = rows->children[i];
            size_t start = (size_t)(rows->offset + column->offset);
            bool filled = task->filled[i - task->numbered - task->keys];
            if (!put_cell(message, column, start + (size_t)first, start + (size_t)last, filled)) return false;
        }
        sip(task->of_rows, message, (uint64_t *)found->columns[HIGH] + found->rows, (uint64_t *)found->columns[LOW] + found->rows);
        found->rows++;
    }
    return true;
}

/* Make room for one value per row. */
static bool
make_room(Found *found, const Task *task, int64_t rows)
{
    for (int i = task->keys > 0 ? 0 : HIGH; i < (task->keys > 0 ? WIDTH : SPELLING); i++)
        if ((found->columns[i] = malloc(((size_t)rows + 1) * SIZES[i])) == NULL) return false;
    return true;
}

static enum failure
digest_all(Found *found, const Task *task, struct ArrowArrayStream *stream)
{
    Message message = {0};
    enum failure failure = reserve((void **)&message.bytes, &message.capacity, 1, 1) ? NONE : NO_MEMORY;
    for (bool again = false; failure == NONE; again = true) {
        struct ArrowArray rows = {0};
        if (stream->get_next(stream, &rows) != 0) failure = BROKEN_STREAM;
        else if (rows.release == NULL && again) break;
        else if (again) failure = SEVERAL_CHUNKS; /* rows of one number could be in two of them */
        else if (!make_room(found, task, rows.length) || !digest_rows(found, &message, task, &rows)) failure = NO_MEMORY;
        if (rows.release == NULL) break;
        rows.release(&rows);
    }
    free(message.bytes);
    return failure;
}

static void
free_found(Found *found)
{
    for (int i = 0; i < WIDTH; i++) free(found->columns[i]);
}

/* Move what was made into a table; NULL with an error set. */
static PyObject *
table_of(Found *found, const Task *task)
{
    struct ArrowSchema *schema;
    struct ArrowArray *array;
    int first = task->keys > 0 ? 0 : HIGH, count = task->keys > 0 ? WIDTH : 2;
    Table *table = new_table(found->rows, count, &schema, &array);
    bool done = table != NULL;
    for (int i = 0; done && i < count; i++)
        done = export_numbers(&found->columns[first + i], FORMATS[first + i], NAMES[first + i], (size_t)i, schema, array);
    if (done) return (PyObject *)table;
    Py_XDECREF((PyObject *)table);
    return PyErr_Occurred() ? NULL : PyErr_NoMemory();
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
digest_stream(const Task *task, struct ArrowArrayStream *stream)
{
    Found found = {0};
    PyObject *table = NULL;
    enum failure failure;
    Py_BEGIN_ALLOW_THREADS
    failure = digest_all(&found, task, stream);
    Py_END_ALLOW_THREADS
    if (failure == NONE) table = table_of(&found, task);
    else if (failure == NO_MEMORY) PyErr_NoMemory();
    else PyErr_SetString(PyExc_ValueError, failure == SEVERAL_CHUNKS ? "the rows are in several chunks" : "the rows could not be read");
    free_found(&found);
    return table;
}

static PyObject *
digests(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *frame, *found = NULL;
    const char *key, *key_of_keys = NULL;
    Py_ssize_t length, length_of_keys = KEY_BYTES, filled, keys = 0;
    Task task = {0};
    if (!PyArg_ParseTuple(args, "Oy#y#|ny#", &frame, &key, &length, &task.filled, &filled, &keys, &key_of_keys, &length_of_keys)) return NULL;
    if (length != KEY_BYTES || length_of_keys != KEY_BYTES || (keys > 0 && key_of_keys == NULL)) {
        PyErr_SetString(PyExc_ValueError, "a key has 16 bytes");
        return NULL;
    }
    memcpy(&task.of_rows, key, KEY_BYTES);
    if (key_of_keys != NULL) memcpy(&task.of_keys, key_of_keys, KEY_BYTES);
    task.keys = keys;
    PyObject *capsule = PyObject_CallMethod(frame, "__arrow_c_stream__", NULL);
    if (capsule == NULL) return NULL;
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
    int64_t texts = stream == NULL ? -1 : text_columns(stream, &task.numbered);
    if (texts >= 0 && (keys < 0 || texts - keys != filled)) PyErr_SetString(PyExc_ValueError, "there is a byte per text column behind the key");
    else if (texts >= 0) found = digest_stream(&task, stream);
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
