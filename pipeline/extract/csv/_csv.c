/* Split CSV bytes into Arrow columns without bending a record (data rules 5 and 6).
 *
 * One file of more than 400 lines, against the house style: its parts share one automaton.
 *
 * A Scanner is fed blocks of UTF-8 bytes. It walks each record once by the automaton in `advance` and copies the fields of
 * well-formed records into Arrow columns. Everything else becomes an entry in the list of malformed lines. All positions
 * are offsets in the current buffer.
 *
 * Linear time: a record whose quote does not close gives up its first line only, and the next line is a record start
 * again. Without memory of the first walk each such line would walk max_record_bytes. But an automaton that is inside
 * quotes at the start of a line is in one and the same state whatever record it came from, so the walk that failed is kept
 * (`memo`) and the next open record goes on where it stopped.
 */
#define MODULE "pipeline.extract.csv._csv"
#include "../_arrow.h"

#define RAW_MAX (64 * 1024)            /* bytes of a malformed line that are kept, so that it can be mended */
#define HEADER_MAX ((size_t)1 << 20)   /* bytes of a header */

enum state { FIELD_START, BARE, QUOTED, QUOTE_SEEN };
enum outcome { COMPLETE, MORE, OVER, AT_BREAK, NO_MEMORY };
enum event { EVENT_MORE, EVENT_HEADER, EVENT_FULL, EVENT_DONE, EVENT_NO_MEMORY };
enum damage { STRAY = 1, NUL = 2, BARE_CR = 4 };
enum code { FINE, FIELD_COUNT, REPEATED_HEADER, STRAY_QUOTE, UNCLOSED_QUOTE, TOO_LONG, NOT_DECODABLE, HAS_NUL, HAS_CR };
enum ends { UNDECIDED = -1, ENDS_LF = 0, ENDS_CR = 1 };

typedef struct { size_t from, length; bool doubled; } Field;
typedef struct { size_t at; enum state state; } Walk;
typedef struct { size_t end, next, fields, breaks, first_break; bool broken; unsigned damage; } Record;
typedef struct { uint64_t line, record, found, first, last; size_t raw_at, raw_length, length; int code; } Bad;

typedef struct {
    PyObject_HEAD
    uint8_t delimiter, quote;
    int ends;
    size_t max_record, batch_rows, batch_bytes;
    uint8_t bare_stop[256], quoted_stop[256];
    uint8_t *buffer;
    size_t length, capacity, at;
    bool final, ascii, busy;
    /* what is going on at `at` */
    size_t skip_left, span_end;
    bool swallow, swallow_skips, header_wanted;
    Bad span;
    Record header;
    int header_code;
    struct { bool active, closed; Walk walk; size_t closed_at; } memo;
    /* sums of data rule 2 */
    uint64_t lines, record_lines, blank_lines, header_lines, skipped_lines, records, visited;
    /* the batch that is being built */
    Field *fields;
    size_t fields_capacity;
    Column *columns;
    size_t column_count, rows, rows_capacity, batch_used;
    uint64_t *line_numbers, *record_numbers;
    Bad *bad;
    size_t bad_count, bad_capacity;
    uint8_t *raw;
    size_t raw_used, raw_capacity;
    PyObject *names; /* tuple of bytes: the header */
} Scanner;

/* ---- small things ---- */

/* Length of the line end at p: 0 for none, -1 when the next byte is not known yet. */
static int
line_end(const Scanner *s, size_t p)
{
    uint8_t byte = s->buffer[p];
    if (byte == '\n') return 1;
    if (byte != '\r') return 0;
    if (p + 1 == s->length) return s->final ? (s->ends == ENDS_CR) : -1;
    if (s->buffer[p + 1] == '\n') return 2;
    return s->ends == ENDS_CR;
}

/* Find the end of the physical line at p: 1 found, 0 the end of input ends it, -1 not in the buffer. */
static int
physical_line(const Scanner *s, size_t p, size_t *end, size_t *next)
{
    for (; p < s->length; p++) {
        const uint8_t *hit = s->buffer + p;
        if (s->ends != ENDS_CR) {
            hit = memchr(hit, '\n', s->length - p);
            if (hit == NULL) break;
            *next = (size_t)(hit - s->buffer) + 1;
            *end = *next - 1 - (*next - 1 > p && hit[-1] == '\r');
            return 1;
        }
        int width = line_end(s, p);
        if (width < 0) return -1;
        if (width) {
            *end = p;
            *next = p + (size_t)width;
            return 1;
        }
    }
    *end = *next = s->length;
    return s->final ? 0 : -1;
}

/* ---- the automaton of data rule 6 ---- */

static inline void
take_field(Scanner *s, Record *record, size_t from, size_t to, bool doubled)
{
    if (record->fields < s->fields_capacity) s->fields[record->fields] = (Field){from, to - from, doubled};
    record->fields++;
}

/* Note a line end inside quotes; true for the first one of the record. */
static bool
note_break(const Scanner *s, size_t p, Record *record)
{
    if (s->ends == ENDS_CR && s->buffer[p] == '\n' && s->buffer[p - 1] == '\r') return false; /* counted at its CR */
    record->breaks++;
    if (record->broken) return false;
    record->broken = true;
    record->first_break = p;
    return true;
}

/* Walk on from `walk` until the record ends, the byte at `limit` is reached (OVER) or the input ends.
 *
 * OVER also stands for an end of input inside quotes. With `stop_at_break` the first line end inside quotes gives AT_BREAK. */
static enum outcome
advance(Scanner *s, Walk *walk, size_t limit, Record *record, bool stop_at_break)
{
    const uint8_t *bytes = s->buffer;
    const uint8_t quote = s->quote, delimiter = s->delimiter;
    const size_t stop = limit < s->length ? limit : s->length, began = walk->at;
    size_t p = walk->at, field = walk->at;
    enum state state = walk->state;
    enum outcome outcome = COMPLETE;
    bool doubled = false;
    int width;

    for (;;) {
        if (state == FIELD_START) {
            field = p;
            doubled = false;
            if (p == stop) break;
            state = BARE;
            if (bytes[p] == quote) {
                p++;
                state = QUOTED;
            }
        }
        if (state == BARE) {
            while (p < stop && !s->bare_stop[bytes[p]]) p++;
            if (p == stop) break;
            uint8_t byte = bytes[p];
            if (byte == delimiter) {
                take_field(s, record, field, p++, false);
                state = FIELD_START;
            } else if (byte == quote || byte == 0) {
                record->damage |= byte ? STRAY : NUL;
                p++;
            } else if ((width = line_end(s, p)) > 0) {
                take_field(s, record, field, p, false);
                goto ended;
            } else if (width < 0) {
                outcome = MORE;
                goto paused;
            } else {
                record->damage |= BARE_CR;
                p++;
            }
        } else if (state == QUOTED) {
            while (p < stop && !s->quoted_stop[bytes[p]]) p++;
            if (p == stop) break;
            if (bytes[p] == quote)
                state = QUOTE_SEEN;
            else if (bytes[p] == 0)
                record->damage |= NUL;
            else if (note_break(s, p, record) && stop_at_break) {
                outcome = AT_BREAK;
                goto paused;
            }
            p++;
        } else {
            if (p == stop) break;
            if (bytes[p] == quote) {
                doubled = true;
                p++;
                state = QUOTED;
            } else if (bytes[p] == delimiter) {
                take_field(s, record, field + 1, p - 1, doubled);
                p++;
                state = FIELD_START;
            } else if ((width = line_end(s, p)) > 0) {
                take_field(s, record, field + 1, p - 1, doubled);
                goto ended;
            } else if (width < 0) {
                outcome = MORE;
                goto paused;
            } else {
                record->damage |= STRAY;
                state = BARE;
            }
        }
    }
    width = 0;
    outcome = p == limit || (s->final && state == QUOTED) ? OVER : s->final ? COMPLETE : MORE;
    if (outcome != COMPLETE) goto paused;
    if (state == QUOTE_SEEN)
        take_field(s, record, field + 1, p - 1, doubled);
    else
        take_field(s, record, field, p, false);
ended:
    record->end = p;
    record->next = p + (size_t)width;
paused:
    walk->at = p;
    walk->state = state;
    s->visited += p - began;
    return outcome;
}

/* ---- building the batch ---- */

static bool
put_field(Scanner *s, Column *column, const Field *field)
{
    const uint8_t *text = s->buffer + field->from;
    size_t before = column->used;
    bool fits;
    if (!field->doubled) {
        fits = put_text(column, s->rows, text, field->length);
    } else {
        fits = room_for(column, field->length);
        size_t kept = 0;
        for (size_t i = 0; fits && i < field->length; i++) {
            column->data[before + kept++] = text[i];
            if (text[i] == s->quote) i++;
        }
        if (fits) seal_text(column, s->rows, kept);
    }
    s->batch_used += column->used - before;
    return fits;
}

static bool
more_rows(Scanner *s)
{
    size_t wanted = s->rows_capacity ? s->rows_capacity * 2 : 256;
    for (size_t i = 0; i < s->column_count; i++) {
        void *views = realloc(s->columns[i].views, 16 * wanted);
        if (views == NULL) return false;
        s->columns[i].views = views;
    }
    size_t lines = s->rows_capacity, records = s->rows_capacity;
    if (!reserve((void **)&s->line_numbers, &lines, wanted, 8)) return false;
    if (!reserve((void **)&s->record_numbers, &records, wanted, 8)) return false;
    s->rows_capacity = wanted;
    return true;
}

static bool
put_row(Scanner *s)
{
    if (s->rows == s->rows_capacity && !more_rows(s)) return false;
    for (size_t i = 0; i < s->column_count; i++)
        if (!put_field(s, &s->columns[i], &s->fields[i])) return false;
    s->line_numbers[s->rows] = s->lines + 1;
    s->record_numbers[s->rows] = s->records + 1;
    s->rows++;
    s->batch_used += 16 * s->column_count + 16;
    return true;
}

/* Set the line at `at` aside as a malformed record of its own. */
static bool
put_bad(Scanner *s, Bad bad, size_t end)
{
    size_t length = end - s->at, kept = length < RAW_MAX ? length : RAW_MAX;
    if (!reserve((void **)&s->bad, &s->bad_capacity, s->bad_count + 1, sizeof(Bad))) return false;
    if (!reserve((void **)&s->raw, &s->raw_capacity, s->raw_used + kept + 1, 1)) return false;
    memcpy(s->raw + s->raw_used, s->buffer + s->at, kept);
    bad.line = s->lines + 1;
    bad.record = ++s->records;
    bad.raw_at = s->raw_used;
    bad.raw_length = kept;
    bad.length = length;
    s->bad[s->bad_count++] = bad;
    s->raw_used += kept;
    s->batch_used += kept + sizeof(Bad);
    s->record_lines++;
    s->lines++;
    return true;
}

/* ---- one record ---- */

static bool
equals_header(const Scanner *s)
{
    for (size_t i = 0; i < s->column_count; i++) {
        PyObject *name = PyTuple_GET_ITEM(s->names, (Py_ssize_t)i);
        const uint8_t *wanted = (const uint8_t *)PyBytes_AS_STRING(name), *text = s->buffer + s->fields[i].from;
        size_t left = (size_t)PyBytes_GET_SIZE(name), length = s->fields[i].length;
        if (!s->fields[i].doubled) {
            if (length != left || memcmp(wanted, text, length) != 0) return false;
            continue;
        }
        for (size_t k = 0; k < length; k++, wanted++, left--) {
            if (left == 0 || *wanted != text[k]) return false;
            if (text[k] == s->quote) k++;
        }
        if (left) return false;
    }
    return true;
}

static int
damage_code(const Scanner *s, const Record *record)
{
    if (!s->ascii && !is_utf8(s->buffer + s->at, s->buffer + record->end)) return NOT_DECODABLE;
    if (record->damage & NUL) return HAS_NUL;
    if (record->damage & BARE_CR) return HAS_CR;
    if (record->damage & STRAY) return STRAY_QUOTE;
    return FINE;
}

static bool
finish_record(Scanner *s, const Record *record)
{
    int code = damage_code(s, record);
    if (code == FINE && record->fields != s->column_count) code = FIELD_COUNT;
    if (code == FINE && equals_header(s)) code = REPEATED_HEADER;
    if (code != FINE) {
        Bad span = {0};
        span.code = code;
        span.found = record->fields;
        span.first = s->lines + 1;
        span.last = s->lines + 1 + record->breaks;
        s->span = span;
        s->span_end = record->next;
        return true;
    }
    if (!put_row(s)) return false;
    s->records++;
    s->lines += record->breaks + 1;
    s->record_lines += record->breaks + 1;
    s->at = record->next;
    return true;
}

/* Set aside one line of a damaged record that is whole in the buffer. */
static bool
span_line(Scanner *s)
{
    size_t end, next;
    physical_line(s, s->at, &end, &next);
    if (end == s->at) {
        s->blank_lines++;
        s->lines++;
    } else if (!put_bad(s, s->span, end)) {
        return false;
    }
    s->at = next;
    return true;
}

/* Answer for a record that is open at the end of its first line, from the walk of an earlier open record. */
static enum outcome
ask_memo(Scanner *s, size_t limit)
{
    if (!s->memo.closed) {
        Record rest = {0};
        enum outcome outcome = advance(s, &s->memo.walk, limit, &rest, false);
        if (outcome != COMPLETE) return outcome;
        s->memo.closed = true;
        s->memo.closed_at = rest.end;
    }
    return s->memo.closed_at < limit ? COMPLETE : OVER;
}

static enum outcome
walk_record(Scanner *s, size_t limit, Walk *walk, Record *record)
{
    bool ask = s->memo.active;
    for (;;) {
        *walk = (Walk){s->at, FIELD_START};
        *record = (Record){0};
        enum outcome outcome = advance(s, walk, limit, record, ask);
        if (outcome != AT_BREAK) return outcome;
        /* The line after this break is inside quotes; the kept walk knows it when it has come that far. */
        size_t known = s->memo.closed ? s->memo.closed_at : s->memo.walk.at;
        ask = false;
        if (record->first_break >= known) {
            s->memo.active = false;
            continue;
        }
        outcome = ask_memo(s, limit);
        if (outcome != COMPLETE) return outcome;
    }
}

/* Set aside the first line of a record that is not complete within the limit; reading resumes on the next. */
static enum event
give_up_first_line(Scanner *s, const Walk *walk, const Record *record)
{
    Bad bad = {0};
    size_t end, next;
    bad.code = record->broken || walk->state == QUOTED ? UNCLOSED_QUOTE : TOO_LONG;
    bad.first = bad.last = s->lines + 1;
    bool whole = physical_line(s, s->at, &end, &next) >= 0;
    if (!whole) {
        /* So much of it is kept as is always kept, wherever the blocks end; a CR may be half of the line end. */
        if (record->broken || s->length - s->at <= RAW_MAX) return EVENT_MORE;
        end = next = s->length - (s->buffer[s->length - 1] == '\r');
    }
    if (record->broken && !s->memo.active) {
        s->memo.active = true;
        s->memo.closed = false;
        s->memo.walk = *walk;
    }
    if (!put_bad(s, bad, end)) return EVENT_NO_MEMORY;
    s->at = next;
    s->swallow = !whole;
    s->swallow_skips = false;
    return EVENT_FULL;
}

/* Read one record; EVENT_FULL means go on. */
static enum event
read_record(Scanner *s)
{
    size_t most = s->header_wanted ? HEADER_MAX : s->max_record, limit = s->at + most + 1;
    Walk walk;
    Record record;
    enum outcome outcome = walk_record(s, limit, &walk, &record);
    if (outcome == MORE) return EVENT_MORE;
    if (s->header_wanted) {
        bool open = record.broken || walk.state == QUOTED;
        s->header = record;
        s->header_code = outcome == COMPLETE ? damage_code(s, &record) : open ? UNCLOSED_QUOTE : TOO_LONG;
        return EVENT_HEADER;
    }
    if (outcome == OVER) return give_up_first_line(s, &walk, &record);
    return finish_record(s, &record) ? EVENT_FULL : EVENT_NO_MEMORY;
}

/* ---- the file ---- */

/* Decide whether a bare CR ends a line: the first line end outside quotes says so (data rule 5). */
static void
decide_ends(Scanner *s)
{
    enum state state = s->skip_left ? BARE : FIELD_START;
    size_t most = s->max_record > HEADER_MAX ? s->max_record : HEADER_MAX;
    size_t stop = s->length < most ? s->length : most, first = SIZE_MAX, p;
    for (p = 0; p < stop; p++) {
        uint8_t byte = s->buffer[p];
        bool ends = byte == '\n' || byte == '\r';
        if (ends && first == SIZE_MAX) first = p;
        if (ends && state != QUOTED) break;
        if (s->skip_left) continue;
        if (byte == s->quote && state != BARE)
            state = state == QUOTED ? QUOTE_SEEN : QUOTED;
        else if (state != QUOTED)
            state = byte == s->delimiter ? FIELD_START : BARE;
    }
    if (p == stop) {
        if (stop == s->length && !s->final) return;
        if (first == SIZE_MAX) {
            s->ends = ENDS_LF;
            return;
        }
        p = first;
    }
    if (s->buffer[p] == '\r' && p + 1 == s->length && !s->final) return;
    s->ends = s->buffer[p] == '\r' && (p + 1 == s->length || s->buffer[p + 1] != '\n') ? ENDS_CR : ENDS_LF;
    s->quoted_stop['\r'] = s->ends == ENDS_CR;
}

/* Drop bytes up to the end of the line; false when the end is not in the buffer. */
static bool
swallow_line(Scanner *s)
{
    size_t end, next;
    if (physical_line(s, s->at, &end, &next) < 0) {
        /* A CR at the very end may be half of a line end. */
        s->at = s->length - (s->length > s->at && s->buffer[s->length - 1] == '\r');
        return false;
    }
    s->at = next;
    s->swallow = false;
    if (s->swallow_skips) {
        s->skip_left--;
        s->skipped_lines++;
        s->lines++;
    }
    return true;
}

static enum event
scan(Scanner *s)
{
    if (s->ends == UNDECIDED) decide_ends(s);
    if (s->ends == UNDECIDED) return EVENT_MORE;
    for (;;) {
        if (s->rows + s->bad_count >= s->batch_rows || s->batch_used >= s->batch_bytes) return EVENT_FULL;
        if (s->swallow) {
            if (!swallow_line(s)) return EVENT_MORE;
            continue;
        }
        if (s->at < s->span_end) {
            if (!span_line(s)) return EVENT_NO_MEMORY;
            continue;
        }
        s->span_end = 0;
        if (s->at == s->length) return s->final ? EVENT_DONE : EVENT_MORE;
        if (s->skip_left) {
            s->swallow = s->swallow_skips = true;
            continue;
        }
        int width = line_end(s, s->at);
        if (width < 0) return EVENT_MORE;
        if (width) {
            s->at += (size_t)width;
            s->blank_lines++;
            s->lines++;
            continue;
        }
        enum event event = read_record(s);
        if (event != EVENT_FULL) return event;
    }
}

static PyObject *
table_of_batch(Scanner *s)
{
    struct ArrowSchema *schema;
    struct ArrowArray *array;
    if (!s->rows_capacity && !more_rows(s)) return PyErr_NoMemory();
    size_t texts = s->column_count;
    Table *table = new_table(s->rows, (int64_t)texts + 2, &schema, &array);
    if (table == NULL) return NULL;
    bool moved = export_texts(s->columns, texts, s->rows, schema, array) &&
                 export_numbers((void **)&s->line_numbers, "L", "_line", texts, schema, array) &&
                 export_numbers((void **)&s->record_numbers, "L", "_record", texts + 1, schema, array);
    s->rows_capacity = s->rows = 0;
    if (moved) return (PyObject *)table;
    Py_DECREF(table);
    return PyErr_NoMemory();
}

/* ---- the Python type ---- */

static int
scanner_init(Scanner *s, PyObject *args, PyObject *kwargs)
{
    static char *words[] = {"delimiter", "quote", "max_record_bytes", "skip_lines", "batch_rows", "batch_bytes", NULL};
    int delimiter, quote;
    Py_ssize_t max_record, skip_lines, batch_rows, batch_bytes;
    if (s->buffer != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a Scanner is for one file");
        return -1;
    }
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "$CCnnnn", words, &delimiter, &quote, &max_record, &skip_lines,
                                     &batch_rows, &batch_bytes))
        return -1;
    if (delimiter < 1 || delimiter > 127 || quote < 1 || quote > 127 || delimiter == quote || max_record < 1 ||
        max_record > INT32_MAX / 2 || skip_lines < 0 || batch_rows < 1 || batch_bytes < 1 || batch_bytes > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "ASCII delimiter and quote that differ, and sizes between 1 and 1 GiB");
        return -1;
    }
    s->delimiter = (uint8_t)delimiter;
    s->quote = (uint8_t)quote;
    s->max_record = (size_t)max_record;
    s->skip_left = (size_t)skip_lines;
    s->batch_rows = (size_t)batch_rows;
    s->batch_bytes = (size_t)batch_bytes;
    s->ends = UNDECIDED;
    s->ascii = s->header_wanted = true;
    s->bare_stop[s->delimiter] = s->bare_stop[s->quote] = s->bare_stop['\n'] = s->bare_stop['\r'] = s->bare_stop[0] = 1;
    s->quoted_stop[s->quote] = s->quoted_stop['\n'] = s->quoted_stop[0] = 1;
    s->capacity = 1;
    s->buffer = calloc(1 + SLACK, 1);
    if (s->buffer == NULL) PyErr_NoMemory();
    return s->buffer == NULL ? -1 : 0;
}

static void
scanner_gone(Scanner *s)
{
    for (size_t i = 0; i < s->column_count; i++) free_column(&s->columns[i]);
    free(s->columns);
    free(s->line_numbers);
    free(s->record_numbers);
    free(s->fields);
    free(s->bad);
    free(s->raw);
    free(s->buffer);
    Py_XDECREF(s->names);
    Py_TYPE(s)->tp_free((PyObject *)s);
}

/* Drop what was read from the buffer, so that only the tail moves. */
static void
drop_read(Scanner *s)
{
    size_t gone = s->at;
    memmove(s->buffer, s->buffer + gone, s->length - gone);
    s->length -= gone;
    s->at = 0;
    s->span_end = s->span_end > gone ? s->span_end - gone : 0;
    size_t *known = s->memo.closed ? &s->memo.closed_at : &s->memo.walk.at;
    if (*known < gone) s->memo.active = false;
    *known = *known < gone ? 0 : *known - gone;
}

static bool
is_ascii(const uint8_t *bytes, size_t length)
{
    uint8_t all = 0;
    for (size_t i = 0; i < length; i++) all |= bytes[i];
    return all < 0x80;
}

static PyObject *
scanner_feed(Scanner *s, PyObject *args)
{
    Py_buffer data;
    int final;
    if (!PyArg_ParseTuple(args, "y*p", &data, &final)) return NULL;
    if (s->busy || s->final) {
        PyBuffer_Release(&data);
        PyErr_SetString(PyExc_RuntimeError, "the input has ended, or is being scanned");
        return NULL;
    }
    drop_read(s);
    size_t more = (size_t)data.len, room = s->capacity + SLACK;
    bool fits = reserve((void **)&s->buffer, &room, s->length + more + SLACK, 1);
    if (fits) {
        s->capacity = room - SLACK;
        memcpy(s->buffer + s->length, data.buf, more);
        s->length += more;
        memset(s->buffer + s->length, 0, SLACK);
        s->ascii = is_ascii(s->buffer, s->length);
        s->final = final;
    }
    PyBuffer_Release(&data);
    if (!fits) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *
scanner_scan(Scanner *s, PyObject *Py_UNUSED(none))
{
    if (s->busy) {
        PyErr_SetString(PyExc_RuntimeError, "being scanned by another thread");
        return NULL;
    }
    size_t wanted = s->header_wanted ? HEADER_MAX + 1 : s->column_count;
    if (!reserve((void **)&s->fields, &s->fields_capacity, wanted, sizeof(Field))) return PyErr_NoMemory();
    s->busy = true;
    enum event event;
    Py_BEGIN_ALLOW_THREADS
    event = scan(s);
    Py_END_ALLOW_THREADS
    s->busy = false;
    if (event == EVENT_NO_MEMORY) return PyErr_NoMemory();
    return PyLong_FromLong(event);
}

static PyObject *
field_bytes(const Scanner *s, const Field *field)
{
    PyObject *value = PyBytes_FromStringAndSize((const char *)s->buffer + field->from, (Py_ssize_t)field->length);
    if (value == NULL || !field->doubled) return value;
    char *text = PyBytes_AS_STRING(value);
    Py_ssize_t kept = 0;
    for (size_t i = 0; i < field->length; i++) {
        text[kept++] = text[i];
        if (text[i] == (char)s->quote) i++;
    }
    _PyBytes_Resize(&value, kept);
    return value;
}

static PyObject *
scanner_header(Scanner *s, PyObject *Py_UNUSED(none))
{
    size_t count = s->header_code == FINE ? s->header.fields : 0;
    PyObject *names = PyTuple_New((Py_ssize_t)count);
    if (names == NULL) return NULL;
    for (size_t i = 0; i < count; i++) {
        PyObject *name = field_bytes(s, &s->fields[i]);
        if (name == NULL) {
            Py_DECREF(names);
            return NULL;
        }
        PyTuple_SET_ITEM(names, (Py_ssize_t)i, name);
    }
    if (s->header_code == FINE) {
        s->at = s->header.next;
        s->header_lines = s->header.breaks + 1;
        s->lines += s->header_lines;
        s->header = (Record){0};
    }
    return Py_BuildValue("(Ni)", names, s->header_code);
}

static PyObject *
scanner_begin(Scanner *s, PyObject *names)
{
    if (!PyTuple_Check(names) || PyTuple_GET_SIZE(names) == 0 || s->columns != NULL) {
        PyErr_SetString(PyExc_ValueError, "begin() takes a tuple of names, once");
        return NULL;
    }
    size_t count = (size_t)PyTuple_GET_SIZE(names);
    for (size_t i = 0; i < count; i++)
        if (!PyBytes_Check(PyTuple_GET_ITEM(names, (Py_ssize_t)i))) {
            PyErr_SetString(PyExc_TypeError, "names are bytes");
            return NULL;
        }
    s->columns = calloc(count, sizeof(Column));
    if (s->columns == NULL) return PyErr_NoMemory();
    free(s->fields);
    s->fields = NULL;
    s->fields_capacity = 0;
    s->column_count = count;
    s->header_wanted = false;
    Py_INCREF(names);
    s->names = names;
    Py_RETURN_NONE;
}

static PyObject *
scanner_take(Scanner *s, PyObject *Py_UNUSED(none))
{
    if (s->busy || s->names == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "nothing to take yet");
        return NULL;
    }
    PyObject *bad = PyList_New((Py_ssize_t)s->bad_count);
    for (size_t i = 0; bad != NULL && i < s->bad_count; i++) {
        const Bad *b = &s->bad[i];
        PyObject *item = Py_BuildValue("(KKiKKKny#)", b->line, b->record, b->code, b->found, b->first, b->last,
                                       (Py_ssize_t)b->length, (const char *)s->raw + b->raw_at, (Py_ssize_t)b->raw_length);
        if (item == NULL)
            Py_CLEAR(bad);
        else
            PyList_SET_ITEM(bad, (Py_ssize_t)i, item);
    }
    PyObject *table = bad ? table_of_batch(s) : NULL;
    if (table == NULL) {
        Py_XDECREF(bad);
        return NULL;
    }
    s->bad_count = s->raw_used = s->batch_used = 0;
    return Py_BuildValue("(NN)", table, bad);
}

static PyObject *
scanner_counts(Scanner *s, PyObject *Py_UNUSED(none))
{
    return Py_BuildValue("{sKsKsKsKsKsKsKsn}", "lines", s->lines, "record_lines", s->record_lines, "blank_lines",
                         s->blank_lines, "header_lines", s->header_lines, "skipped_lines", s->skipped_lines, "records",
                         s->records, "visited", s->visited, "unread", (Py_ssize_t)(s->length - s->at));
}

static PyObject *
scanner_unread(Scanner *s, void *Py_UNUSED(closure))
{
    return PyBytes_FromStringAndSize((const char *)s->buffer + s->at, (Py_ssize_t)(s->length - s->at));
}

static PyObject *
scanner_get_ends(Scanner *s, void *Py_UNUSED(closure))
{
    if (s->ends == UNDECIDED) Py_RETURN_NONE;
    return PyUnicode_FromString(s->ends == ENDS_CR ? "\r" : "\n");
}

static PyObject *
scanner_get_rows(Scanner *s, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(s->batch_rows);
}

static int
scanner_set_rows(Scanner *s, PyObject *value, void *Py_UNUSED(closure))
{
    Py_ssize_t rows = value ? PyLong_AsSsize_t(value) : -1;
    if (rows < 1) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "batch_rows is at least 1");
        return -1;
    }
    s->batch_rows = (size_t)rows;
    return 0;
}

static PyMethodDef scanner_methods[] = {
    {"feed", (PyCFunction)scanner_feed, METH_VARARGS, "Add a block of bytes; True when it is the last one."},
    {"scan", (PyCFunction)scanner_scan, METH_NOARGS, "Go on until MORE, HEADER, FULL or DONE."},
    {"header", (PyCFunction)scanner_header, METH_NOARGS, "Take the header: its names, and the code of its damage or 0."},
    {"begin", (PyCFunction)scanner_begin, METH_O, "Set the columns; records follow."},
    {"take", (PyCFunction)scanner_take, METH_NOARGS, "Take the batch: its rows, and its malformed lines."},
    {"counts", (PyCFunction)scanner_counts, METH_NOARGS, "Give the sums of the lines read so far."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef scanner_values[] = {
    {"ends", (getter)scanner_get_ends, NULL, "What ends a line beside LF and CRLF: CR, else LF; None before it is known.", NULL},
    {"unread", (getter)scanner_unread, NULL, "The bytes in the buffer that are not read yet.", NULL},
    {"batch_rows", (getter)scanner_get_rows, (setter)scanner_set_rows, "Rows and malformed lines of a batch, at most.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject ScannerType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = MODULE ".Scanner",
    .tp_basicsize = sizeof(Scanner),
    .tp_dealloc = (destructor)scanner_gone,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)scanner_init,
    .tp_methods = scanner_methods,
    .tp_getset = scanner_values,
    .tp_doc = "Split the bytes of one CSV file into records.",
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_csv", "Split CSV bytes into Arrow columns.", -1, NULL, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__csv(void)
{
    if (PyType_Ready(&ScannerType) < 0 || PyType_Ready(&TableType) < 0) return NULL;
    PyObject *m = PyModule_Create(&module);
    if (m == NULL) return NULL;
    if (PyModule_AddObjectRef(m, "Scanner", (PyObject *)&ScannerType) < 0 ||
        PyModule_AddObjectRef(m, "Table", (PyObject *)&TableType) < 0 || PyModule_AddIntConstant(m, "MORE", EVENT_MORE) < 0 ||
        PyModule_AddIntConstant(m, "HEADER", EVENT_HEADER) < 0 || PyModule_AddIntConstant(m, "FULL", EVENT_FULL) < 0 ||
        PyModule_AddIntConstant(m, "DONE", EVENT_DONE) < 0) {
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
