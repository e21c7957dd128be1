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
 * (`memo`) and the next open record resumes where it stopped. A record that does not end in the buffer is kept as it was
 * walked so far (`paused`), so that no byte is walked again when more bytes come.
 */
#define MODULE "pipeline.extract.csv._csv"
#include "../_arrow.h"

#define RAW_MAX (64 * 1024)            /* bytes of a malformed line that are kept, so that it can be mended */
#define HEADER_MAX ((size_t)1 << 20)   /* bytes of a header */

enum state { FIELD_START, BARE, QUOTED, QUOTE_SEEN, BARE_ESCAPE, QUOTED_ESCAPE };
enum outcome { COMPLETE, MORE, OVER, AT_BREAK, NO_MEMORY };
enum event { EVENT_MORE, EVENT_HEADER, EVENT_FULL, EVENT_DONE, EVENT_NO_MEMORY };
enum damage { STRAY = 1, NUL = 2, BARE_CR = 4, LONE_ESCAPE = 8 };
enum code {
    FINE, FIELD_COUNT, REPEATED_HEADER, STRAY_QUOTE, UNCLOSED_QUOTE, TOO_LONG, NOT_DECODABLE, HAS_NUL, HAS_CR, SWALLOWED,
    STRAY_ESCAPE,
};
enum ends { UNDECIDED = -1, ENDS_LF = 0, ENDS_CR = 1 };

/* `folded`: the text is shorter than its bytes, by doubled quotes or escapes. */
typedef struct { size_t from, length; bool quoted, folded; } Field;
typedef struct { size_t at, field; enum state state; bool folded; } Walk;
typedef struct { uint8_t *text; size_t length; } Name;
typedef struct { size_t end, next, fields, breaks, first_break; bool broken; unsigned damage; } Record;
typedef struct { uint64_t line, record, found, first, last; size_t raw_at, raw_length, length; int code; } Bad;

typedef struct {
    PyObject_HEAD
    uint8_t delimiter, quote, escape; /* escape: NUL where there is none */
    bool escapes;
    int ends;
    size_t max_record, batch_rows, batch_bytes;
    uint8_t bare_stop[256], quoted_stop[256];
    uint8_t *buffer;
    size_t length, capacity, at;
    size_t high_end; /* behind the last byte of the buffer that is not ASCII */
    bool final, busy, begun;
    /* what is going on at `at` */
    size_t skip_left, span_end;
    bool swallow, swallow_skips, header_wanted, header_ready;
    Bad span;
    Record header;
    int header_code;
    struct { bool active, closed; Walk walk; size_t closed_at; } memo;
    struct { bool active, ask; Walk walk; Record record; } paused;
    struct { size_t at, first; enum state state; } probe; /* of decide_ends */
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
    Name *names, raw_header; /* the header: its names, and its bytes as they stood */
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
take_field(Scanner *s, Record *record, size_t from, size_t to, bool quoted, bool folded)
{
    if (record->fields < s->fields_capacity) s->fields[record->fields] = (Field){from, to - from, quoted, folded};
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
 * OVER is also the outcome of an end of input inside quotes. With `stop_at_break` the first line end inside quotes gives AT_BREAK. */
static enum outcome
advance(Scanner *s, Walk *walk, size_t limit, Record *record, bool stop_at_break)
{
    const uint8_t *bytes = s->buffer;
    const uint8_t quote = s->quote, delimiter = s->delimiter, escape = s->escape;
    const bool escapes = s->escapes;
    const size_t stop = limit < s->length ? limit : s->length, began = walk->at;
    size_t p = walk->at, field = walk->field;
    enum state state = walk->state;
    enum outcome outcome = COMPLETE;
    bool folded = walk->folded;
    int width;

    for (;;) {
        if (state == FIELD_START) {
            field = p;
            folded = false;
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
                take_field(s, record, field, p++, false, folded);
                state = FIELD_START;
            } else if (byte == quote || byte == 0) {
                record->damage |= byte ? STRAY : NUL;
                p++;
            } else if (escapes && byte == escape) {
                folded = true;
                p++;
                state = BARE_ESCAPE;
            } else if ((width = line_end(s, p)) > 0) {
                take_field(s, record, field, p, false, folded);
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
            if (bytes[p] == quote) {
                state = QUOTE_SEEN;
            } else if (bytes[p] == 0) {
                record->damage |= NUL;
            } else if (escapes && bytes[p] == escape) {
                folded = true;
                state = QUOTED_ESCAPE;
            } else if (note_break(s, p, record) && stop_at_break) {
                outcome = AT_BREAK;
                goto paused;
            }
            p++;
        } else if (state == BARE_ESCAPE) {
            /* What follows is text, but for the end of the line: there the escape stands alone. */
            if (p == stop) break;
            state = BARE;
            if (bytes[p] == '\n' || bytes[p] == '\r')
                record->damage |= LONE_ESCAPE;
            else if (bytes[p++] == 0)
                record->damage |= NUL;
        } else if (state == QUOTED_ESCAPE) {
            if (p == stop) break;
            if (bytes[p] == quote || bytes[p] == escape) p++;
            state = QUOTED;
        } else {
            if (p == stop) break;
            if (bytes[p] == quote) {
                folded = true;
                p++;
                state = QUOTED;
            } else if (bytes[p] == delimiter) {
                take_field(s, record, field + 1, p - 1, true, folded);
                p++;
                state = FIELD_START;
            } else if ((width = line_end(s, p)) > 0) {
                take_field(s, record, field + 1, p - 1, true, folded);
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
    bool inside = state == QUOTED || state == QUOTED_ESCAPE;
    outcome = p == limit || (s->final && inside) ? OVER : s->final ? COMPLETE : MORE;
    if (outcome != COMPLETE) goto paused;
    if (state == BARE_ESCAPE) record->damage |= LONE_ESCAPE;
    if (state == QUOTE_SEEN)
        take_field(s, record, field + 1, p - 1, true, folded);
    else
        take_field(s, record, field, p, false, folded);
ended:
    record->end = p;
    record->next = p + (size_t)width;
paused:
    *walk = (Walk){p, field, state, folded};
    s->visited += p - began;
    return outcome;
}

/* ---- building the batch ---- */

/* Write the text of a folded field, without the escapes and the first one of two quotes; gives its length. */
static size_t
unfold(const Scanner *s, const Field *field, uint8_t *to)
{
    const uint8_t *text = s->buffer + field->from;
    size_t kept = 0;
    for (size_t i = 0; i < field->length; i++) {
        /* A quote outside of an escape is one of two. */
        bool skips = (s->escapes && text[i] == s->escape) || (field->quoted && text[i] == s->quote);
        if (skips && i + 1 < field->length) i++;
        to[kept++] = text[i];
    }
    return kept;
}

/* Say whether a field is the null of an export with escapes: \N, not quoted. */
static bool
is_null_mark(const Scanner *s, const Field *field)
{
    return s->escapes && field->folded && !field->quoted && field->length == 2 && s->buffer[field->from + 1] == 'N';
}

static bool
put_field(Scanner *s, Column *column, const Field *field)
{
    const uint8_t *text = s->buffer + field->from;
    size_t before = column->used;
    bool fits;
    if (!field->folded) {
        fits = put_text(column, s->rows, text, field->length);
    } else if (is_null_mark(s, field)) {
        fits = put_text(column, s->rows, text, 0);
    } else {
        fits = room_for(column, field->length);
        if (fits) seal_text(column, s->rows, unfold(s, field, column->data + before));
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
is_name(const Scanner *s, const Field *field, const Name *name)
{
    const uint8_t *text = s->buffer + field->from;
    if (!field->folded) return field->length == name->length && memcmp(text, name->text, name->length) == 0;
    size_t kept = 0;
    for (size_t i = 0; i < field->length; i++, kept++) {
        bool skips = (s->escapes && text[i] == s->escape) || (field->quoted && text[i] == s->quote);
        if (skips && i + 1 < field->length) i++;
        if (kept == name->length || name->text[kept] != text[i]) return false;
    }
    return kept == name->length;
}

/* Say whether a record repeats the header, also behind a byte order mark: files that were put one behind the other. */
static bool
equals_header(const Scanner *s, const Record *record)
{
    const uint8_t *text = s->buffer + s->at;
    size_t length = record->end - s->at;
    bool marked = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
    if (marked && s->raw_header.length && length - 3 == s->raw_header.length &&
        memcmp(text + 3, s->raw_header.text, length - 3) == 0)
        return true;
    if (record->fields != s->column_count || record->damage) return false;
    for (size_t i = 0; i < s->column_count; i++) {
        Field field = s->fields[i];
        if (marked && i == 0 && !field.quoted) {
            field.from += 3;
            field.length -= 3;
        }
        if (!is_name(s, &field, &s->names[i])) return false;
    }
    return true;
}

/* Count the lines of a quoted text that have as many fields as the header; stops at two. */
static int
lines_like_records(const Scanner *s, const Field *field)
{
    const uint8_t *text = s->buffer + field->from;
    size_t fields = 1;
    int found = 0;
    for (size_t i = 0; i <= field->length && found < 2; i++) {
        if (i == field->length || text[i] == '\n' || (text[i] == '\r' && s->ends == ENDS_CR)) {
            found += fields == s->column_count;
            fields = 1;
        } else if (s->escapes && text[i] == s->escape && i + 1 < field->length && text[i + 1] != '\n') {
            i++;
        } else {
            fields += text[i] == s->delimiter;
        }
    }
    return found;
}

/* Say whether a quoted text swallowed records: two stray quotes pages apart look like one text. In a file of one column any
 * line has as many fields as the header, so there it means nothing. */
static bool
has_swallowed(const Scanner *s, const Record *record)
{
    if (!record->broken || s->column_count < 2) return false;
    for (size_t i = 0; i < s->column_count; i++)
        if (s->fields[i].quoted && lines_like_records(s, &s->fields[i]) == 2) return true;
    return false;
}

static int
damage_code(const Scanner *s, const Record *record)
{
    if (s->at < s->high_end && !is_utf8(s->buffer + s->at, s->buffer + record->end)) return NOT_DECODABLE;
    if (record->damage & NUL) return HAS_NUL;
    if (record->damage & BARE_CR) return HAS_CR;
    if (record->damage & STRAY) return STRAY_QUOTE;
    if (record->damage & LONE_ESCAPE) return STRAY_ESCAPE;
    return FINE;
}

static bool
finish_record(Scanner *s, const Record *record)
{
    int code = damage_code(s, record);
    if (code == FINE && record->fields != s->column_count) code = FIELD_COUNT;
    if (code == FINE && has_swallowed(s, record)) code = SWALLOWED;
    if ((code == FINE || code == STRAY_QUOTE) && equals_header(s, record)) code = REPEATED_HEADER;
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
    bool ask = s->memo.active, resumes = s->paused.active;
    if (resumes) ask = s->paused.ask;
    for (;;) {
        *walk = resumes ? s->paused.walk : (Walk){s->at, s->at, FIELD_START, false};
        *record = resumes ? s->paused.record : (Record){0};
        resumes = s->paused.active = false;
        enum outcome outcome = advance(s, walk, limit, record, ask);
        if (outcome == MORE) {
            s->paused.active = true;
            s->paused.ask = ask;
            s->paused.walk = *walk;
            s->paused.record = *record;
        }
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

static bool
is_inside(const Walk *walk)
{
    return walk->state == QUOTED || walk->state == QUOTED_ESCAPE;
}

/* Set aside the first line of a record that is not complete within the limit; reading resumes on the next. */
static enum event
give_up_first_line(Scanner *s, const Walk *walk, const Record *record)
{
    Bad bad = {0};
    size_t end, next;
    bad.code = record->broken || is_inside(walk) ? UNCLOSED_QUOTE : TOO_LONG;
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
        bool open = record.broken || is_inside(&walk);
        s->header = record;
        s->header_code = outcome == COMPLETE ? damage_code(s, &record) : open ? UNCLOSED_QUOTE : TOO_LONG;
        s->header_ready = true;
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
    enum state state = s->probe.state;
    size_t most = s->max_record > HEADER_MAX ? s->max_record : HEADER_MAX;
    size_t stop = s->length < most ? s->length : most, first = s->probe.first, p;
    if (s->skip_left) state = BARE;
    for (p = s->probe.at; p < stop; p++) {
        uint8_t byte = s->buffer[p];
        bool ends = byte == '\n' || byte == '\r';
        if (ends && first == SIZE_MAX) first = p;
        if (ends && state != QUOTED && state != QUOTED_ESCAPE) break;
        if (s->skip_left) continue;
        if (state == QUOTED_ESCAPE || state == BARE_ESCAPE)
            state = state == QUOTED_ESCAPE ? QUOTED : BARE;
        else if (s->escapes && byte == s->escape && state != QUOTE_SEEN)
            state = state == QUOTED ? QUOTED_ESCAPE : BARE_ESCAPE;
        else if (byte == s->quote && state != BARE)
            state = state == QUOTED ? QUOTE_SEEN : QUOTED;
        else if (state != QUOTED)
            state = byte == s->delimiter ? FIELD_START : BARE;
    }
    s->probe.at = p;
    s->probe.first = first;
    s->probe.state = state;
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
    for (size_t i = 0; i < texts; i++) free_column(&s->columns[i]); /* nothing is left where all was moved */
    s->rows_capacity = s->rows = 0;
    if (moved) return (PyObject *)table;
    Py_DECREF((PyObject *)table);
    return PyErr_NoMemory();
}

/* ---- the Python type ---- */

static PyObject *
scanner_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *words[] = {"delimiter", "quote", "escape", "max_record_bytes", "skip_lines", "batch_rows", "batch_bytes",
                            NULL};
    int delimiter, quote, escape = 0;
    Py_ssize_t max_record, skip_lines, batch_rows, batch_bytes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "$CCCnnnn", words, &delimiter, &quote, &escape, &max_record,
                                     &skip_lines, &batch_rows, &batch_bytes))
        return NULL;
    if (delimiter < 1 || delimiter > 127 || quote < 1 || quote > 127 || escape < 0 || escape > 127 ||
        delimiter == quote || escape == quote || escape == delimiter || max_record < 1 || max_record > INT32_MAX / 2 ||
        skip_lines < 0 || batch_rows < 1 || batch_bytes < 1 || batch_bytes > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError,
                        "ASCII delimiter, quote and escape (NUL for none) that differ, and sizes between 1 and 1 GiB");
        return NULL;
    }
    Scanner *s = (Scanner *)PyType_GenericAlloc(type, 0);
    if (s == NULL) return NULL;
    s->delimiter = (uint8_t)delimiter;
    s->quote = (uint8_t)quote;
    s->escape = (uint8_t)escape;
    s->escapes = escape != 0;
    s->max_record = (size_t)max_record;
    s->skip_left = (size_t)skip_lines;
    s->batch_rows = (size_t)batch_rows;
    s->batch_bytes = (size_t)batch_bytes;
    s->ends = UNDECIDED;
    s->header_wanted = true;
    s->probe.first = SIZE_MAX;
    s->bare_stop[s->delimiter] = s->bare_stop[s->quote] = s->bare_stop['\n'] = s->bare_stop['\r'] = s->bare_stop[0] = 1;
    s->quoted_stop[s->quote] = s->quoted_stop['\n'] = s->quoted_stop[0] = 1;
    s->bare_stop[s->escape] = s->quoted_stop[s->escape] = 1;
    s->capacity = 1;
    s->buffer = calloc(1 + SLACK, 1);
    if (s->buffer != NULL) return (PyObject *)s;
    Py_DECREF((PyObject *)s);
    return PyErr_NoMemory();
}

static void
drop_names(Scanner *s)
{
    for (size_t i = 0; s->columns != NULL && i < s->column_count; i++) free_column(&s->columns[i]);
    for (size_t i = 0; s->names != NULL && i < s->column_count; i++) free(s->names[i].text);
    free(s->names);
    free(s->columns);
    s->names = NULL;
    s->columns = NULL;
    s->column_count = 0;
}

static void
scanner_gone(Scanner *s)
{
    PyTypeObject *type = Py_TYPE((PyObject *)s);
    drop_names(s);
    free(s->raw_header.text);
    free(s->line_numbers);
    free(s->record_numbers);
    free(s->fields);
    free(s->bad);
    free(s->raw);
    free(s->buffer);
    PyObject_Free(s);
    Py_DECREF(type);
}

/* Refuse a call while another thread scans, or in an order that has no meaning. */
static bool
refused(bool wrong, const char *why)
{
    if (wrong) PyErr_SetString(PyExc_RuntimeError, why);
    return wrong;
}

static const char BUSY[] = "being scanned by another thread";

static size_t
less(size_t place, size_t gone)
{
    return place > gone ? place - gone : 0;
}

/* Drop what was read from the buffer, so that only the tail moves. */
static void
drop_read(Scanner *s)
{
    size_t gone = s->at;
    if (gone == 0) return;
    memmove(s->buffer, s->buffer + gone, s->length - gone);
    s->length -= gone;
    s->at = 0;
    s->span_end = less(s->span_end, gone);
    s->high_end = less(s->high_end, gone);
    size_t *known = s->memo.closed ? &s->memo.closed_at : &s->memo.walk.at;
    if (*known < gone) s->memo.active = false;
    *known = less(*known, gone);
    s->memo.walk.field = less(s->memo.walk.field, gone);
    if (!s->paused.active) return;
    Record *record = &s->paused.record;
    s->paused.walk.at -= gone;
    s->paused.walk.field -= gone;
    record->first_break = less(record->first_break, gone);
    for (size_t i = 0; i < record->fields && i < s->fields_capacity; i++) s->fields[i].from -= gone;
}

/* Find where the bytes that are not ASCII end; 0 where all are. */
static size_t
end_of_high(const uint8_t *bytes, size_t length)
{
    uint8_t all = 0;
    for (size_t i = 0; i < length; i++) all |= bytes[i];
    if (all < 0x80) return 0;
    while (bytes[length - 1] < 0x80) length--;
    return length;
}

static PyObject *
scanner_feed(Scanner *s, PyObject *args)
{
    Py_buffer data;
    int final;
    if (!PyArg_ParseTuple(args, "y*p", &data, &final)) return NULL;
    if (refused(s->busy || s->final || s->header_ready, "the input has ended, is being scanned, or its header is to be taken")) {
        PyBuffer_Release(&data);
        return NULL;
    }
    drop_read(s);
    size_t more = (size_t)data.len, room = s->capacity + SLACK;
    bool fits = reserve((void **)&s->buffer, &room, s->length + more + SLACK, 1);
    if (fits) {
        s->capacity = room - SLACK;
        memcpy(s->buffer + s->length, data.buf, more);
        size_t high = end_of_high(s->buffer + s->length, more);
        if (high) s->high_end = s->length + high;
        s->length += more;
        memset(s->buffer + s->length, 0, SLACK);
        s->final = final;
    }
    PyBuffer_Release(&data);
    if (!fits) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *
scanner_scan(Scanner *s, PyObject *Py_UNUSED(none))
{
    if (refused(s->busy, BUSY)) return NULL;
    if (s->header_ready) return PyLong_FromLong(EVENT_HEADER);
    if (refused(!s->header_wanted && !s->begun, "begin() comes first")) return NULL;
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
    const char *from = (const char *)s->buffer + field->from;
    if (!field->folded) return PyBytes_FromStringAndSize(from, (Py_ssize_t)field->length);
    uint8_t *text = malloc(field->length + 1);
    if (text == NULL) return PyErr_NoMemory();
    PyObject *value = PyBytes_FromStringAndSize((const char *)text, (Py_ssize_t)unfold(s, field, text));
    free(text);
    return value;
}

static PyObject *
scanner_header(Scanner *s, PyObject *Py_UNUSED(none))
{
    if (refused(s->busy || !s->header_ready, "scan() did not come to a header, or is running")) return NULL;
    size_t count = s->header_code == FINE ? s->header.fields : 0, length = s->header.end - s->at;
    PyObject *names = PyTuple_New((Py_ssize_t)count);
    if (names == NULL) return NULL;
    for (size_t i = 0; i < count; i++) {
        PyObject *name = field_bytes(s, &s->fields[i]);
        if (name == NULL || PyTuple_SetItem(names, (Py_ssize_t)i, name) < 0) {
            Py_DECREF(names);
            return NULL;
        }
    }
    if (count) {
        s->raw_header.text = malloc(length + 1);
        if (s->raw_header.text == NULL) {
            Py_DECREF(names);
            return PyErr_NoMemory();
        }
        memcpy(s->raw_header.text, s->buffer + s->at, length);
        s->raw_header.length = length;
        s->at = s->header.next;
        s->header_lines = s->header.breaks + 1;
        s->lines += s->header_lines;
        s->header = (Record){0};
    }
    s->header_ready = s->header_wanted = false;
    return Py_BuildValue("(Ni)", names, s->header_code);
}

static bool
take_names(Scanner *s, PyObject *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(names, (Py_ssize_t)i), &text, &length) < 0) return false;
        s->names[i].text = malloc((size_t)length + 1);
        if (s->names[i].text == NULL) {
            PyErr_NoMemory();
            return false;
        }
        memcpy(s->names[i].text, text, (size_t)length);
        s->names[i].length = (size_t)length;
    }
    return true;
}

static PyObject *
scanner_begin(Scanner *s, PyObject *names)
{
    if (refused(s->busy || s->header_ready || s->names != NULL, "begin() is called once, before scan() or behind header()"))
        return NULL;
    Py_ssize_t count = PyTuple_Check(names) ? PyTuple_Size(names) : 0;
    if (count == 0) {
        PyErr_SetString(PyExc_ValueError, "begin() takes a tuple of names");
        return NULL;
    }
    s->column_count = (size_t)count;
    s->names = calloc(s->column_count, sizeof(Name));
    s->columns = calloc(s->column_count, sizeof(Column));
    if (s->names == NULL || s->columns == NULL) PyErr_NoMemory();
    if (PyErr_Occurred() || !take_names(s, names, s->column_count)) {
        drop_names(s);
        return NULL;
    }
    free(s->fields);
    s->fields = NULL;
    s->fields_capacity = 0;
    s->header_wanted = false;
    s->paused.active = false;
    s->begun = true;
    Py_RETURN_NONE;
}

static PyObject *
scanner_take(Scanner *s, PyObject *Py_UNUSED(none))
{
    if (refused(s->busy || !s->begun, "nothing to take yet, or being scanned")) return NULL;
    PyObject *bad = PyList_New((Py_ssize_t)s->bad_count);
    for (size_t i = 0; bad != NULL && i < s->bad_count; i++) {
        const Bad *b = &s->bad[i];
        PyObject *item = Py_BuildValue("(KKiKKKny#)", b->line, b->record, b->code, b->found, b->first, b->last,
                                       (Py_ssize_t)b->length, (const char *)s->raw + b->raw_at, (Py_ssize_t)b->raw_length);
        if (item == NULL)
            Py_CLEAR(bad);
        else
            PyList_SetItem(bad, (Py_ssize_t)i, item);
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
    if (refused(s->busy, BUSY)) return NULL;
    bool between = !s->swallow && s->at >= s->span_end && !s->paused.active;
    return Py_BuildValue("{sKsKsKsKsKsKsKsnsi}", "lines", s->lines, "record_lines", s->record_lines, "blank_lines",
                         s->blank_lines, "header_lines", s->header_lines, "skipped_lines", s->skipped_lines, "records",
                         s->records, "visited", s->visited, "unread", (Py_ssize_t)(s->length - s->at), "between",
                         (int)between);
}

static PyObject *
scanner_unread(Scanner *s, void *Py_UNUSED(closure))
{
    if (refused(s->busy, BUSY)) return NULL;
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
    if (refused(s->busy, BUSY)) return -1;
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
    {"scan", (PyCFunction)scanner_scan, METH_NOARGS, "Read until MORE, HEADER, FULL or DONE."},
    {"header", (PyCFunction)scanner_header, METH_NOARGS, "Take the header: its names, and the code of its damage or 0."},
    {"begin", (PyCFunction)scanner_begin, METH_O, "Set the columns; records follow."},
    {"take", (PyCFunction)scanner_take, METH_NOARGS, "Take the batch: its rows, and its malformed lines."},
    {"counts", (PyCFunction)scanner_counts, METH_NOARGS, "Return the sums of the lines read so far."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef scanner_values[] = {
    {"ends", (getter)scanner_get_ends, NULL, "What ends a line beside LF and CRLF: CR, else LF; None before it is known.", NULL},
    {"unread", (getter)scanner_unread, NULL, "The bytes in the buffer that are not read yet.", NULL},
    {"batch_rows", (getter)scanner_get_rows, (setter)scanner_set_rows, "Rows and malformed lines of a batch, at most.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot scanner_slots[] = {
    {Py_tp_new, (void *)scanner_new},
    {Py_tp_dealloc, (void *)scanner_gone},
    {Py_tp_methods, scanner_methods},
    {Py_tp_getset, scanner_values},
    {Py_tp_doc, "Split the bytes of one CSV file into records."},
    {0, NULL},
};

static PyType_Spec scanner_spec = {MODULE ".Scanner", sizeof(Scanner), 0, Py_TPFLAGS_DEFAULT, scanner_slots};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_csv", "Split CSV bytes into Arrow columns.", -1, NULL, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__csv(void)
{
    PyObject *m = PyModule_Create(&module);
    if (m == NULL) return NULL;
    PyTypeObject *scanner = add_type(m, &scanner_spec, "Scanner");
    TableType = add_type(m, &table_spec, "Table");
    Py_XDECREF((PyObject *)scanner); /* the module holds it; ours of Table stays for new_table */
    if (scanner == NULL || TableType == NULL || PyModule_AddIntConstant(m, "MORE", EVENT_MORE) < 0 ||
        PyModule_AddIntConstant(m, "HEADER", EVENT_HEADER) < 0 || PyModule_AddIntConstant(m, "FULL", EVENT_FULL) < 0 ||
        PyModule_AddIntConstant(m, "DONE", EVENT_DONE) < 0) {
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
