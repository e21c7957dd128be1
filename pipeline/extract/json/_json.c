/* Read flat JSON objects into Arrow columns, exactly as Python's decoder would, or not at all.
 *
 * An object is flat when its keys are known, each stands once, and its values are texts, numbers, true, false or null. Such
 * an object is a row as it stands. Numbers keep their text (data rule 8). Whatever is otherwise in any way (another key, a
 * nested value, a key with an odd escape, half a surrogate pair, NUL, bytes that are no UTF-8, text that is no JSON) is ODD: it
 * is left to Python, so that there is one semantic; nothing of an odd object has been taken. Rows that Python makes are
 * put between the others.
 *
 * The bytes of flat objects are kept with the batch, so that a rejected one can be written as it stood.
 *
 * One file of more than 400 lines, against the house style: its parts share the state of one batch.
 */
#define MODULE "pipeline.extract.json._json"
#include "../_arrow.h"

enum event { END, ODD, FULL, LAST, LOST, NO_MEMORY };
enum kind { NOTHING, PLAIN, ESCAPED };

typedef struct { const uint8_t *name; size_t length; bool escaped; } Key;
typedef struct { const uint8_t *text; size_t length; uint64_t object; enum kind kind; } Cell;
/* Where reading stands: the byte, the physical line (from 1), the elements so far, and the end of an odd element. */
typedef struct { size_t at, stop; uint64_t line, record; enum event event; } Place;

typedef struct {
    PyObject_HEAD
    bool busy, need_all;
    size_t max_record, column_count, key_count;
    /* the known keys: those of the columns, then the ignored ones, then each once more as it is written in ASCII; `follow` is
     * the key that came next the last time, `cells` are one per key */
    PyObject *names;
    Key *keys;
    Cell *cells;
    size_t *follow, *slots, mask;
    uint64_t objects; /* that were begun: the stamp of the cells */
    /* the batch that is being built */
    Column *columns;
    uint64_t *line_numbers, *record_numbers, *raw_ends;
    uint32_t *elements;
    size_t rows, capacity;
    uint8_t *raw;
    size_t raw_used, raw_capacity;
} Rows;

static uint8_t ends_text[256]; /* what ends or interrupts a run of plain characters in a string */

/* ---- reading one object ---- */

static inline const uint8_t *
past_blanks(const uint8_t *p, const uint8_t *stop, uint64_t *breaks)
{
    for (; p < stop && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'); p++) *breaks += *p == '\n';
    return p;
}

static int
hex_of(const uint8_t *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Pass over the escape at p (a backslash): the byte behind it, NULL for one that is odd. A byte that is no hexadecimal
 * digit stands behind the end of the text, so nothing is read beyond it. */
static const uint8_t *
past_escape(const uint8_t *p)
{
    if (p[1] != 'u') return p[1] != 0 && strchr("\"\\/bfnrt", p[1]) != NULL ? p + 2 : NULL;
    int code = hex_of(p + 2);
    if (code <= 0 || (code >= 0xDC00 && code <= 0xDFFF)) return NULL;
    if (code < 0xD800 || code > 0xDBFF) return p + 6;
    if (p[6] != '\\' || p[7] != 'u') return NULL;
    code = hex_of(p + 8);
    return code >= 0xDC00 && code <= 0xDFFF ? p + 12 : NULL;
}

/* Read the string that begins behind the quote at p; gives the byte behind its closing quote, or NULL. */
static inline const uint8_t *
read_string(const uint8_t *p, Cell *cell)
{
    const uint8_t *from = p;
    uint8_t high = 0;
    cell->kind = PLAIN;
    for (;;) {
        while (!ends_text[*p]) high |= *p++;
        if (*p == '"') break;
        if (*p != '\\') return NULL;
        cell->kind = ESCAPED;
        p = past_escape(p);
        if (p == NULL) return NULL;
    }
    if (high >= 0x80 && !is_utf8(from, p)) return NULL;
    cell->text = from;
    cell->length = (size_t)(p - from);
    return p + 1;
}

static inline bool
is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Pass over a number; NULL for what is none. */
static const uint8_t *
past_number(const uint8_t *p)
{
    p += *p == '-';
    if (*p == '0')
        p++;
    else if (is_digit(*p))
        while (is_digit(*p)) p++;
    else
        return NULL;
    if (*p == '.') {
        if (!is_digit(*++p)) return NULL;
        while (is_digit(*p)) p++;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        if (!is_digit(*p)) return NULL;
        while (is_digit(*p)) p++;
    }
    return p;
}

static const uint8_t *
past_word(const uint8_t *p, const char *word)
{
    for (; *word; p++, word++)
        if (*p != (uint8_t)*word) return NULL;
    return p;
}

/* Read a scalar into its cell; gives the byte behind it, or NULL. */
static inline const uint8_t *
read_value(const uint8_t *p, Cell *cell)
{
    if (*p == '"') return read_string(p + 1, cell);
    const uint8_t *q = *p == 'n'   ? past_word(p, "null")
                       : *p == 't' ? past_word(p, "true")
                       : *p == 'f' ? past_word(p, "false")
                                   : past_number(p);
    if (q == NULL) return NULL;
    cell->kind = *p == 'n' ? NOTHING : PLAIN;
    cell->text = p;
    cell->length = (size_t)(q - p);
    return q;
}

static size_t
hash_of(const uint8_t *name, size_t length)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ name[i]) * 1099511628211u;
    return (size_t)(hash ^ (hash >> 29));
}

static inline bool
same_key(const Key *a, const Key *b)
{
    return a->length == b->length && a->escaped == b->escaped && memcmp(a->name, b->name, a->length) == 0;
}

/* Find a known key as it is written, first where it stood last time; 2 * key_count when there is none. */
static inline size_t
find_key(const Rows *r, size_t guess, const Key *key)
{
    if (guess < 2 * r->key_count && same_key(&r->keys[guess], key)) return guess;
    for (size_t slot = hash_of(key->name, key->length) & r->mask; r->slots[slot]; slot = (slot + 1) & r->mask)
        if (same_key(&r->keys[r->slots[slot] - 1], key)) return r->slots[slot] - 1;
    return 2 * r->key_count;
}

/* Read the object at p into the cells; gives the byte behind it, or NULL where it is not flat or not whole. */
static const uint8_t *
read_object(Rows *r, const uint8_t *p, const uint8_t *stop, uint64_t *breaks)
{
    size_t last = 2 * r->key_count, columns = 0;
    uint64_t object = ++r->objects;
    Cell name;
    p = past_blanks(p + 1, stop, breaks);
    if (*p == '}') return r->need_all && r->column_count ? NULL : p + 1;
    for (;;) {
        if (*p != '"') return NULL;
        p = read_string(p + 1, &name);
        if (p == NULL) return NULL;
        Key wanted = {name.text, name.length, name.kind == ESCAPED};
        size_t written = find_key(r, r->follow[last], &wanted);
        if (written == 2 * r->key_count) return NULL;
        size_t key = written < r->key_count ? written : written - r->key_count;
        if (r->cells[key].object == object) return NULL;
        r->follow[last] = written;
        last = written;
        p = past_blanks(p, stop, breaks);
        if (*p != ':') return NULL;
        p = past_blanks(p + 1, stop, breaks);
        p = read_value(p, &r->cells[key]);
        if (p == NULL) return NULL;
        r->cells[key].object = object;
        columns += key < r->column_count;
        p = past_blanks(p, stop, breaks);
        if (*p == '}') return r->need_all && columns < r->column_count ? NULL : p + 1;
        if (*p != ',') return NULL;
        p = past_blanks(p + 1, stop, breaks);
    }
}

/* Find the end of the value at p by its brackets and quotes alone; NULL when the bytes end before it. */
static const uint8_t *
past_value(const uint8_t *p, const uint8_t *stop, uint64_t *breaks)
{
    size_t depth = 0;
    bool inside = false;
    if (*p != '{' && *p != '[' && *p != '"') {
        while (p < stop && strchr(" \t\r\n,]}", *p) == NULL) p++;
        return p < stop ? p : NULL;
    }
    for (; p < stop; p++) {
        *breaks += *p == '\n';
        if (inside && *p == '\\') {
            p++;
        } else if (*p == '"') {
            inside = !inside;
            if (!inside && depth == 0) return p + 1;
        } else if (!inside && (*p == '{' || *p == '[')) {
            depth++;
        } else if (!inside && (*p == '}' || *p == ']') && --depth == 0) {
            return p + 1;
        }
    }
    return NULL;
}

/* ---- building the batch ---- */

static bool
more_rows(Rows *r)
{
    size_t wanted = r->capacity ? r->capacity * 2 : 256;
    for (size_t i = 0; i < r->column_count; i++) {
        Column *column = &r->columns[i];
        void *views = realloc(column->views, 16 * wanted);
        if (views == NULL) return false;
        column->views = views;
        uint8_t *valid = realloc(column->valid, wanted / 8);
        if (valid == NULL) return false;
        column->valid = valid;
        memset(valid + r->capacity / 8, 0xFF, (wanted - r->capacity) / 8);
    }
    size_t lines = r->capacity, records = r->capacity, ends = r->capacity, elements = r->capacity;
    if (!reserve((void **)&r->line_numbers, &lines, wanted, 8)) return false;
    if (!reserve((void **)&r->record_numbers, &records, wanted, 8)) return false;
    if (!reserve((void **)&r->raw_ends, &ends, wanted, 8)) return false;
    if (!reserve((void **)&r->elements, &elements, wanted, 4)) return false;
    r->capacity = wanted;
    return true;
}

static void
put_null(Column *column, size_t row)
{
    memset(column->views + 16 * row, 0, 16);
    column->valid[row / 8] &= (uint8_t)~(1u << (row % 8));
    column->nulls++;
}

/* Drop the rows from number `from` on, as if they had never been begun. */
static void
drop_rows(Rows *r, size_t from)
{
    for (size_t i = 0; i < r->column_count; i++) {
        Column *column = &r->columns[i];
        for (size_t row = from; row <= r->rows && row < r->capacity; row++) {
            uint8_t bit = (uint8_t)(1u << (row % 8));
            column->nulls -= (column->valid[row / 8] & bit) == 0;
            column->valid[row / 8] |= bit;
        }
    }
    r->rows = from;
}

static size_t
write_utf8(uint8_t *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (uint8_t)(0xC0 | code >> 6);
        to[1] = (uint8_t)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (uint8_t)(0xE0 | code >> 12);
        to[1] = (uint8_t)(0x80 | (code >> 6 & 63));
        to[2] = (uint8_t)(0x80 | (code & 63));
        return 3;
    }
    to[0] = (uint8_t)(0xF0 | code >> 18);
    to[1] = (uint8_t)(0x80 | (code >> 12 & 63));
    to[2] = (uint8_t)(0x80 | (code >> 6 & 63));
    to[3] = (uint8_t)(0x80 | (code & 63));
    return 4;
}

/* Put a text whose escapes are known to be good; it only gets shorter. */
static bool
put_escaped(Column *column, size_t row, const uint8_t *p, size_t length)
{
    if (!room_for(column, length)) return false;
    const uint8_t *stop = p + length;
    uint8_t *begin = column->data + column->used, *to = begin;
    while (p < stop) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
        if (p[1] != 'u') {
            *to++ = (uint8_t)meant[strchr(names, p[1]) - names];
            p += 2;
            continue;
        }
        uint32_t code = (uint32_t)hex_of(p + 2);
        p += 6;
        if (code >= 0xD800 && code <= 0xDBFF) {
            code = 0x10000 + ((code - 0xD800) << 10) + ((uint32_t)hex_of(p + 2) - 0xDC00);
            p += 6;
        }
        to += write_utf8(to, code);
    }
    seal_text(column, row, (size_t)(to - begin));
    return true;
}

/* Put a text behind whose start fewer than 16 bytes may be readable. */
static bool
put_near_end(Column *column, size_t row, const uint8_t *text, size_t length)
{
    uint8_t copy[SLACK] = {0};
    if (length > INLINE_MAX) return put_text(column, row, text, length);
    memcpy(copy, text, length);
    return put_text(column, row, copy, length);
}

/* Begin a row; its object is that of `raw`, or none of ours when that is empty. */
static bool
begin_row(Rows *r, uint64_t line, uint64_t record, uint32_t element)
{
    if (r->rows == r->capacity && !more_rows(r)) return false;
    r->line_numbers[r->rows] = line;
    r->record_numbers[r->rows] = record;
    r->elements[r->rows] = element;
    r->raw_ends[r->rows] = r->raw_used;
    return true;
}

/* Put the object that was just read from [from, to) as a row. */
static bool
put_object(Rows *r, const uint8_t *from, const uint8_t *to, const uint8_t *stop, const Place *place, uint64_t breaks)
{
    size_t size = (size_t)(to - from);
    if (!reserve((void **)&r->raw, &r->raw_capacity, r->raw_used + size + 1, 1)) return false;
    uint8_t *raw = r->raw + r->raw_used;
    memcpy(raw, from, size);
    for (size_t i = 0; breaks && i < size; i++)
        if (raw[i] == '\n' || raw[i] == '\r') raw[i] = ' '; /* they stand between tokens only */
    r->raw_used += size;
    if (!begin_row(r, place->line, place->record + 1, 0)) return false;
    for (size_t i = 0; i < r->column_count; i++) {
        const Cell *cell = &r->cells[i];
        Column *column = &r->columns[i];
        bool fits = true;
        if (cell->object != r->objects || cell->kind == NOTHING)
            put_null(column, r->rows);
        else if (cell->kind == ESCAPED)
            fits = put_escaped(column, r->rows, cell->text, cell->length);
        else if (stop - cell->text < SLACK)
            fits = put_near_end(column, r->rows, cell->text, cell->length);
        else
            fits = put_text(column, r->rows, cell->text, cell->length);
        if (!fits) {
            drop_rows(r, r->rows);
            r->raw_used -= size;
            return false;
        }
    }
    r->rows++;
    return true;
}

/* ---- lines, and elements of an array ---- */

static void
scan_lines(Rows *r, const uint8_t *data, size_t length, size_t most_rows, size_t most_bytes, Place *place)
{
    const uint8_t *whole = data + length;
    while (place->at < length) {
        if (r->rows >= most_rows || r->raw_used >= most_bytes) {
            place->event = FULL;
            return;
        }
        const uint8_t *from = data + place->at, *stop = memchr(from, '\n', (size_t)(whole - from));
        size_t next = stop == NULL ? length : (size_t)(stop - data) + 1;
        if (stop == NULL) stop = whole;
        size_t size = (size_t)(stop - from);
        size -= size && stop[-1] == '\r';
        if (size) {
            uint64_t none = 0;
            const uint8_t *p = past_blanks(from, stop, &none), *q = NULL;
            if (size <= r->max_record && *p == '{') q = read_object(r, p, stop, &none);
            if (q == NULL || past_blanks(q, stop, &none) != stop) {
                place->event = ODD;
                return;
            }
            if (!put_object(r, p, q, whole, place, 0)) {
                place->event = NO_MEMORY;
                return;
            }
            place->record++;
        }
        place->line++;
        place->at = next;
    }
    place->event = END;
}

static void
scan_elements(Rows *r, const uint8_t *data, size_t length, size_t most_rows, size_t most_bytes, Place *place)
{
    const uint8_t *stop = data + length;
    for (;;) {
        const uint8_t *from = past_blanks(data + place->at, stop, &place->line);
        place->at = (size_t)(from - data);
        uint64_t breaks = 0;
        const uint8_t *to = from < stop && *from == '{' ? read_object(r, from, stop, &breaks) : NULL;
        bool flat = to != NULL;
        if (!flat) {
            breaks = 0;
            to = from < stop ? past_value(from, stop, &breaks) : NULL;
        }
        uint64_t inside = breaks;
        const uint8_t *behind = to == NULL ? stop : past_blanks(to, stop, &breaks);
        if (behind == stop) {
            place->event = END;
            return;
        }
        if (to == from || (*behind != ',' && *behind != ']')) {
            place->event = LOST;
            return;
        }
        flat = flat && (size_t)(to - from) <= r->max_record;
        if (r->rows >= most_rows || r->raw_used >= most_bytes) {
            place->event = FULL;
            return;
        }
        if (!flat) {
            place->stop = (size_t)(to - data);
            place->event = ODD;
            return;
        }
        if (!put_object(r, from, to, stop, place, inside)) {
            place->event = NO_MEMORY;
            return;
        }
        place->record++;
        place->line += breaks;
        place->at = (size_t)(behind - data) + 1;
        if (*behind == ']') {
            place->event = LAST;
            return;
        }
    }
}

/* ---- the Python type ---- */

static bool
take_keys(Rows *r)
{
    for (size_t i = 0; i < 2 * r->key_count; i++) {
        char *text;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(r->names, (Py_ssize_t)i), &text, &length) < 0) return false;
        r->keys[i] = (Key){(const uint8_t *)text, (size_t)length, i >= r->key_count};
        size_t slot = hash_of(r->keys[i].name, r->keys[i].length) & r->mask;
        for (; r->slots[slot]; slot = (slot + 1) & r->mask)
            if (same_key(&r->keys[r->slots[slot] - 1], &r->keys[i])) {
                PyErr_SetString(PyExc_ValueError, "a name stands twice");
                return false;
            }
        r->slots[slot] = i + 1;
        r->follow[i] = i + 1;
    }
    return true;
}

static bool
allocate(Rows *r)
{
    size_t slots = 8;
    while (slots < 8 * r->key_count) slots *= 2;
    r->mask = slots - 1;
    r->keys = calloc(2 * r->key_count + 1, sizeof(Key));
    r->cells = calloc(r->key_count + 1, sizeof(Cell));
    r->follow = calloc(2 * r->key_count + 1, sizeof(size_t));
    r->slots = calloc(slots, sizeof(size_t));
    r->columns = calloc(r->column_count + 1, sizeof(Column));
    if (r->keys && r->cells && r->follow && r->slots && r->columns) return true;
    PyErr_NoMemory();
    return false;
}

static PyObject *
rows_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *words[] = {"columns", "ignored", "escaped", "need_all", "max_record_bytes", NULL};
    PyObject *columns, *ignored, *escaped;
    int need_all;
    Py_ssize_t most;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "$O!O!O!pn", words, &PyTuple_Type, &columns, &PyTuple_Type, &ignored,
                                     &PyTuple_Type, &escaped, &need_all, &most))
        return NULL;
    size_t column_count = (size_t)PyTuple_Size(columns), key_count = column_count + (size_t)PyTuple_Size(ignored);
    if (most < 1 || most > INT32_MAX / 2 || (size_t)PyTuple_Size(escaped) != key_count) {
        PyErr_SetString(PyExc_ValueError, "max_record_bytes between 1 and 1 GiB, and each name escaped");
        return NULL;
    }
    Rows *r = (Rows *)PyType_GenericAlloc(type, 0);
    if (r == NULL) return NULL;
    r->column_count = column_count;
    r->key_count = key_count;
    r->need_all = need_all;
    r->max_record = (size_t)most;
    PyObject *plain = PySequence_Concat(columns, ignored);
    r->names = plain == NULL ? NULL : PySequence_Concat(plain, escaped);
    Py_XDECREF(plain);
    if (r->names != NULL && allocate(r) && take_keys(r)) return (PyObject *)r;
    Py_DECREF((PyObject *)r);
    return NULL;
}

static void
rows_gone(Rows *r)
{
    PyTypeObject *type = Py_TYPE((PyObject *)r);
    for (size_t i = 0; r->columns != NULL && i < r->column_count; i++) free_column(&r->columns[i]);
    free(r->columns);
    free(r->keys);
    free(r->cells);
    free(r->follow);
    free(r->slots);
    free(r->line_numbers);
    free(r->record_numbers);
    free(r->raw_ends);
    free(r->elements);
    free(r->raw);
    Py_XDECREF(r->names);
    PyObject_Free(r);
    Py_DECREF(type);
}

static const char BUSY[] = "being scanned by another thread, or begun outside of the data";

typedef void (*Scan)(Rows *, const uint8_t *, size_t, size_t, size_t, Place *);

static PyObject *
scanned(Rows *r, PyObject *args, Scan scan)
{
    PyObject *data; /* bytes, which end with a NUL: each loop that looks at a byte before its bound stops there */
    Py_ssize_t at, most_rows, most_bytes;
    unsigned long long line, record;
    if (!PyArg_ParseTuple(args, "SnKKnn", &data, &at, &line, &record, &most_rows, &most_bytes)) return NULL;
    if (r->busy || at < 0 || at > PyBytes_Size(data)) {
        PyErr_SetString(PyExc_RuntimeError, BUSY);
        return NULL;
    }
    const uint8_t *bytes = (const uint8_t *)PyBytes_AsString(data);
    size_t length = (size_t)PyBytes_Size(data);
    Place place = {(size_t)at, 0, line, record, END};
    size_t rows = most_rows < 0 ? 0 : (size_t)most_rows, room = most_bytes < 0 ? 0 : (size_t)most_bytes;
    r->busy = true;
    Py_BEGIN_ALLOW_THREADS
    scan(r, bytes, length, rows, room, &place);
    Py_END_ALLOW_THREADS
    r->busy = false;
    if (place.event == NO_MEMORY) return PyErr_NoMemory();
    return Py_BuildValue("(inKKn)", (int)place.event, (Py_ssize_t)place.at, place.line, place.record,
                         (Py_ssize_t)place.stop);
}

static PyObject *
rows_lines(Rows *r, PyObject *args)
{
    return scanned(r, args, scan_lines);
}

static PyObject *
rows_elements(Rows *r, PyObject *args)
{
    return scanned(r, args, scan_elements);
}

/* Put one value; the view of the row before serves again where the value is the very same object, so that the texts of an
 * object are held once for all elements of its lists. */
static bool
put_value(Rows *r, size_t at, PyObject *value, PyObject *before)
{
    Column *column = &r->columns[at];
    if (value == Py_None) {
        put_null(column, r->rows);
        return true;
    }
    if (value == before) {
        memcpy(column->views + 16 * r->rows, column->views + 16 * (r->rows - 1), 16);
        return true;
    }
    Py_ssize_t length;
    if (!PyUnicode_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "values are texts or None");
        return false;
    }
    const char *text = PyUnicode_AsUTF8AndSize(value, &length);
    if (text == NULL) return false;
    if (put_near_end(column, r->rows, (const uint8_t *)text, (size_t)length)) return true;
    PyErr_NoMemory();
    return false;
}

/* Read one row of `put`: its list of values, and the number of its element. */
static PyObject *
values_of(const Rows *r, PyObject *row, uint32_t *element)
{
    PyObject *values = PyTuple_Check(row) && PyTuple_Size(row) == 2 ? PyTuple_GetItem(row, 0) : NULL;
    if (values == NULL || !PyList_Check(values) || (size_t)PyList_Size(values) != r->column_count) {
        PyErr_SetString(PyExc_ValueError, "a row is a tuple of a list with a value for each column, and a number");
        return NULL;
    }
    unsigned long long number = PyLong_AsUnsignedLongLong(PyTuple_GetItem(row, 1));
    if (PyErr_Occurred()) return NULL;
    if (number > UINT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "an element beyond 32 bits");
        return NULL;
    }
    *element = (uint32_t)number;
    return values;
}

static bool
put_values(Rows *r, PyObject *values, PyObject *before)
{
    for (Py_ssize_t k = 0; (size_t)k < r->column_count; k++) {
        PyObject *same = before == NULL ? NULL : PyList_GetItem(before, k);
        if (!put_value(r, (size_t)k, PyList_GetItem(values, k), same)) return false;
    }
    r->rows++;
    return true;
}

static PyObject *
rows_put(Rows *r, PyObject *args)
{
    PyObject *rows, *line, *record, *before = NULL;
    if (!PyArg_ParseTuple(args, "O!OO", &PyList_Type, &rows, &line, &record)) return NULL;
    if (r->busy) {
        PyErr_SetString(PyExc_RuntimeError, BUSY);
        return NULL;
    }
    uint64_t line_number = PyLong_AsUnsignedLongLong(line), record_number = 0;
    if (!PyErr_Occurred()) record_number = PyLong_AsUnsignedLongLong(record);
    if (PyErr_Occurred()) return NULL;
    size_t first = r->rows;
    for (Py_ssize_t i = 0; i < PyList_Size(rows); i++) {
        uint32_t element;
        PyObject *values = values_of(r, PyList_GetItem(rows, i), &element);
        bool begun = values != NULL && begin_row(r, line_number, record_number, element);
        if (!begun || !put_values(r, values, before)) {
            if (!PyErr_Occurred()) PyErr_NoMemory();
            drop_rows(r, first);
            return NULL;
        }
        before = values;
    }
    Py_RETURN_NONE;
}

static PyObject *
rows_take(Rows *r, PyObject *Py_UNUSED(none))
{
    struct ArrowSchema *schema;
    struct ArrowArray *array;
    if (r->busy) {
        PyErr_SetString(PyExc_RuntimeError, BUSY);
        return NULL;
    }
    if (!r->capacity && !more_rows(r)) return PyErr_NoMemory();
    PyObject *raw = PyBytes_FromStringAndSize((const char *)r->raw, (Py_ssize_t)r->raw_used);
    PyObject *ends = PyBytes_FromStringAndSize((const char *)r->raw_ends, (Py_ssize_t)(8 * r->rows));
    size_t texts = r->column_count;
    Table *table = raw == NULL || ends == NULL ? NULL : new_table(r->rows, (int64_t)texts + 3, &schema, &array);
    bool moved = table != NULL && export_texts(r->columns, texts, r->rows, schema, array) &&
                 export_numbers((void **)&r->line_numbers, "L", "_line", texts, schema, array) &&
                 export_numbers((void **)&r->record_numbers, "L", "_record", texts + 1, schema, array) &&
                 export_numbers((void **)&r->elements, "I", "_element", texts + 2, schema, array);
    for (size_t i = 0; i < texts; i++) free_column(&r->columns[i]); /* nothing is left where all was moved */
    free(r->raw_ends);
    r->raw_ends = NULL;
    r->capacity = r->rows = r->raw_used = 0;
    if (moved) return Py_BuildValue("(NNN)", table, raw, ends);
    Py_XDECREF(raw);
    Py_XDECREF(ends);
    Py_XDECREF((PyObject *)table);
    return PyErr_Occurred() ? NULL : PyErr_NoMemory();
}

static PyObject *
rows_get_count(Rows *r, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(r->rows);
}

static PyObject *
rows_get_bytes(Rows *r, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(r->raw_used);
}

static PyMethodDef rows_methods[] = {
    {"lines", (PyCFunction)rows_lines, METH_VARARGS, "Read whole lines of objects."},
    {"elements", (PyCFunction)rows_elements, METH_VARARGS, "Read elements of an array."},
    {"put", (PyCFunction)rows_put, METH_VARARGS, "Put rows that were made elsewhere."},
    {"take", (PyCFunction)rows_take, METH_NOARGS, "Take the batch: its rows, the bytes of its flat objects, where each ends."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef rows_values[] = {
    {"count", (getter)rows_get_count, NULL, "Rows of the batch so far.", NULL},
    {"bytes", (getter)rows_get_bytes, NULL, "Bytes of the flat objects of the batch so far.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot rows_slots[] = {
    {Py_tp_new, (void *)rows_new},
    {Py_tp_dealloc, (void *)rows_gone},
    {Py_tp_methods, rows_methods},
    {Py_tp_getset, rows_values},
    {Py_tp_doc, "Read flat JSON objects into columns."},
    {0, NULL},
};

static PyType_Spec rows_spec = {MODULE ".Rows", sizeof(Rows), 0, Py_TPFLAGS_DEFAULT, rows_slots};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_json", "Read flat JSON objects into Arrow columns.", -1, NULL, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__json(void)
{
    for (int byte = 0; byte < 256; byte++) ends_text[byte] = byte < 0x20 || byte == '"' || byte == '\\';
    PyObject *m = PyModule_Create(&module);
    if (m == NULL) return NULL;
    PyTypeObject *rows = add_type(m, &rows_spec, "Rows");
    TableType = add_type(m, &table_spec, "Table");
    Py_XDECREF((PyObject *)rows); /* the module holds it; ours of Table stays for new_table */
    if (rows == NULL || TableType == NULL || PyModule_AddIntConstant(m, "END", END) < 0 ||
        PyModule_AddIntConstant(m, "ODD", ODD) < 0 || PyModule_AddIntConstant(m, "FULL", FULL) < 0 ||
        PyModule_AddIntConstant(m, "LAST", LAST) < 0 || PyModule_AddIntConstant(m, "LOST", LOST) < 0) {
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
