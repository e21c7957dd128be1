/* Build Arrow string columns and hand them to Python: what the readers of CSV and of JSON share.
 *
 * Texts become string views: 16 bytes per value, texts of more than 12 bytes in a data buffer per column. That is the
 * layout polars itself uses, so a frame is made without looking at a value again.
 *
 * To be included once per module, with MODULE as its name.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000 /* one wheel for 3.11 and later */
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "_arrow_abi.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "string views are built for little-endian machines"
#endif

#define SLACK 32                       /* readable bytes behind a text, for 16-byte loads */
#define INLINE_MAX 12                  /* longest text that fits in a view */

/* `valid` holds a bit per row, or nothing where no row is null. */
typedef struct { uint8_t *views, *data, *valid; size_t used, capacity, nulls; } Column;

static bool
reserve(void **memory, size_t *capacity, size_t needed, size_t item)
{
    if (needed <= *capacity) return true;
    size_t wanted = *capacity * 2 > needed ? *capacity * 2 : needed;
    if (wanted > SIZE_MAX / item) return false;
    void *moved = realloc(*memory, wanted * item);
    if (moved == NULL) return false;
    *memory = moved;
    *capacity = wanted;
    return true;
}

static bool
is_utf8(const uint8_t *p, const uint8_t *stop)
{
    while (p < stop) {
        uint64_t eight;
        if (stop - p >= 8 && (memcpy(&eight, p, 8), (eight & 0x8080808080808080u) == 0)) {
            p += 8;
            continue;
        }
        uint8_t a = *p++;
        if (a < 0x80) continue;
        int more = a >= 0xF0 ? 3 : a >= 0xE0 ? 2 : 1;
        if (a < 0xC2 || a > 0xF4 || stop - p < more) return false;
        uint8_t low = a == 0xE0 ? 0xA0 : a == 0xF0 ? 0x90 : 0x80, high = a == 0xED ? 0x9F : a == 0xF4 ? 0x8F : 0xBF;
        if (*p < low || *p > high) return false;
        for (p++; --more > 0; p++)
            if ((*p & 0xC0) != 0x80) return false;
    }
    return true;
}

static inline void
inline_view(uint8_t *view, const uint8_t *text, size_t length)
{
    /* Sixteen bytes are always readable behind text (SLACK); those after the text are blanked. */
    uint64_t low, high;
    memcpy(&low, text, 8);
    memcpy(&high, text + 8, 8);
    low &= length >= 8 ? ~(uint64_t)0 : (((uint64_t)1 << (8 * length)) - 1);
    high &= length > 8 ? (((uint64_t)1 << (8 * (length - 8))) - 1) : 0;
    uint32_t count = (uint32_t)length;
    memcpy(view, &count, 4);
    memcpy(view + 4, &low, 8);
    memcpy(view + 12, &high, 4);
}

/* Make room for one more text of `length` bytes in the data of a column; what a view points at lies below 2 GiB. */
static inline bool
room_for(Column *column, size_t length)
{
    if (column->used + length > INT32_MAX - SLACK) return false;
    return reserve((void **)&column->data, &column->capacity, column->used + length + SLACK, 1);
}

/* Make the view of a text that was written behind the data of its column. */
static void
seal_text(Column *column, size_t row, size_t length)
{
    uint8_t *view = column->views + 16 * row, *text = column->data + column->used;
    if (length <= INLINE_MAX) {
        memset(text + length, 0, SLACK);
        inline_view(view, text, length);
        return;
    }
    uint32_t parts[4] = {(uint32_t)length, 0, 0, (uint32_t)column->used};
    memcpy(&parts[1], text, 4);
    memcpy(view, parts, 16);
    column->used += length;
}

/* Put a text in a row; 16 bytes are readable from its start on. */
static inline bool
put_text(Column *column, size_t row, const uint8_t *text, size_t length)
{
    if (length <= INLINE_MAX) {
        inline_view(column->views + 16 * row, text, length);
        return true;
    }
    if (!room_for(column, length)) return false;
    memcpy(column->data + column->used, text, length);
    seal_text(column, row, length);
    return true;
}

static void
free_column(Column *column)
{
    free(column->views);
    free(column->data);
    free(column->valid);
    *column = (Column){0};
}

/* ---- the table of a batch ---- */

typedef struct { const void *buffers[4]; int64_t data_length; } Buffers;

static void
release_schema(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i] != NULL && schema->children[i]->release != NULL)
            schema->children[i]->release(schema->children[i]);
        free(schema->children[i]);
    }
    free(schema->children);
    free((void *)schema->name);
    schema->release = NULL;
}

static void
release_array(struct ArrowArray *array)
{
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i] != NULL && array->children[i]->release != NULL)
            array->children[i]->release(array->children[i]);
        free(array->children[i]);
    }
    free(array->children);
    Buffers *own = array->private_data;
    if (own != NULL) {
        free((void *)own->buffers[0]);
        free((void *)own->buffers[1]);
        if (array->n_buffers == 4) free((void *)own->buffers[2]);
        free(own);
    }
    array->release = NULL;
}

static void
schema_capsule_gone(PyObject *capsule)
{
    struct ArrowSchema *schema = PyCapsule_GetPointer(capsule, "arrow_schema");
    if (schema->release != NULL) schema->release(schema);
    free(schema);
}

static void
array_capsule_gone(PyObject *capsule)
{
    struct ArrowArray *array = PyCapsule_GetPointer(capsule, "arrow_array");
    if (array->release != NULL) array->release(array);
    free(array);
}

static struct ArrowSchema *
new_schema(const char *format, const char *name, size_t length, int64_t children)
{
    struct ArrowSchema *schema = calloc(1, sizeof *schema);
    if (schema == NULL) return NULL;
    char *copy = calloc(length + 1, 1);
    schema->children = calloc((size_t)children + 1, sizeof(struct ArrowSchema *));
    if (copy != NULL) memcpy(copy, name, length);
    schema->format = format;
    schema->name = copy;
    schema->n_children = children;
    schema->release = release_schema;
    if (copy == NULL || schema->children == NULL) {
        if (schema->children == NULL) schema->n_children = 0;
        release_schema(schema);
        free(schema);
        return NULL;
    }
    return schema;
}

static struct ArrowArray *
new_array(size_t rows, int64_t children)
{
    struct ArrowArray *array = calloc(1, sizeof *array);
    Buffers *own = calloc(1, sizeof *own);
    struct ArrowArray **below = calloc((size_t)children + 1, sizeof *below);
    if (array == NULL || own == NULL || below == NULL) {
        free(array);
        free(own);
        free(below);
        return NULL;
    }
    array->length = (int64_t)rows;
    array->n_buffers = children ? 1 : 2;
    array->n_children = children;
    array->children = below;
    array->buffers = own->buffers;
    array->private_data = own;
    array->release = release_array;
    return array;
}

/* Move a column into an array. */
static struct ArrowArray *
text_array(Column *column, size_t rows)
{
    struct ArrowArray *array = new_array(rows, 0);
    if (array == NULL) return NULL;
    Buffers *own = array->private_data;
    if (column->nulls) {
        own->buffers[0] = column->valid;
        array->null_count = (int64_t)column->nulls;
    } else {
        free(column->valid);
    }
    own->buffers[1] = column->views;
    own->data_length = (int64_t)column->used;
    array->n_buffers = column->data == NULL ? 3 : 4;
    if (column->data != NULL) own->buffers[2] = column->data;
    own->buffers[array->n_buffers - 1] = &own->data_length;
    *column = (Column){0};
    return array;
}

static struct ArrowArray *
number_array(void **numbers, size_t rows)
{
    struct ArrowArray *array = new_array(rows, 0);
    if (array == NULL) return NULL;
    ((Buffers *)array->private_data)->buffers[1] = *numbers;
    *numbers = NULL;
    return array;
}

/* An object with __arrow_c_array__ that hands the capsules over. */
typedef struct { PyObject_HEAD PyObject *schema, *array; } Table;

static PyTypeObject *TableType; /* set when the module is made */

static void
table_gone(Table *table)
{
    PyTypeObject *type = Py_TYPE((PyObject *)table);
    Py_XDECREF(table->schema);
    Py_XDECREF(table->array);
    PyObject_Free(table);
    Py_DECREF(type);
}

static PyObject *
table_export(Table *table, PyObject *args, PyObject *kwargs)
{
    static char *words[] = {"requested_schema", NULL};
    PyObject *requested = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O", words, &requested)) return NULL;
    return PyTuple_Pack(2, table->schema, table->array);
}

static PyMethodDef table_methods[] = {
    {"__arrow_c_array__", (PyCFunction)(void (*)(void))table_export, METH_VARARGS | METH_KEYWORDS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot table_slots[] = {
    {Py_tp_dealloc, (void *)table_gone},
    {Py_tp_methods, table_methods},
    {Py_tp_doc, "Rows as an Arrow struct array; to be taken once."},
    {0, NULL},
};

/* Only this module makes a Table; one made by Python would hold no capsules. */
static PyType_Spec table_spec = {
    MODULE ".Table", sizeof(Table), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, table_slots,
};

/* Begin a struct array of `width` columns of `rows` rows, held by a Table; NULL when memory ran out. */
static Table *
new_table(size_t rows, int64_t width, struct ArrowSchema **schema, struct ArrowArray **array)
{
    Table *table = (Table *)PyType_GenericAlloc(TableType, 0);
    if (table == NULL) return NULL;
    *schema = new_schema("+s", "", 0, width);
    *array = new_array(rows, width);
    if (*schema != NULL) table->schema = PyCapsule_New(*schema, "arrow_schema", schema_capsule_gone);
    if (*array != NULL) table->array = PyCapsule_New(*array, "arrow_array", array_capsule_gone);
    if (table->schema != NULL && table->array != NULL) return table;
    /* What a capsule holds goes with it. */
    if (*schema != NULL && table->schema == NULL) {
        release_schema(*schema);
        free(*schema);
    }
    if (*array != NULL && table->array == NULL) {
        release_array(*array);
        free(*array);
    }
    Py_DECREF((PyObject *)table);
    if (!PyErr_Occurred()) PyErr_NoMemory();
    return NULL;
}

/* Make a type of this module and add it under its name. */
static PyTypeObject *
add_type(PyObject *m, PyType_Spec *spec, const char *name)
{
    PyObject *type = PyType_FromSpec(spec);
    if (type != NULL && PyModule_AddObjectRef(m, name, type) < 0) Py_CLEAR(type);
    return (PyTypeObject *)type;
}

/* Move the columns of texts into the first children of a table, named by their numbers; false when memory ran out. */
static bool
export_texts(Column *columns, size_t count, size_t rows, struct ArrowSchema *schema, struct ArrowArray *array)
{
    for (size_t i = 0; i < count; i++) {
        char name[24];
        int length = snprintf(name, sizeof name, "%zu", i);
        schema->children[i] = new_schema("vu", name, (size_t)length, 0);
        array->children[i] = text_array(&columns[i], rows);
        if (schema->children[i] == NULL || array->children[i] == NULL) return false;
        schema->children[i]->flags = 2; /* ARROW_FLAG_NULLABLE */
    }
    return true;
}

/* Move numbers into child `at` of a table; false when memory ran out. */
static bool
export_numbers(void **numbers, const char *format, const char *name, size_t at, struct ArrowSchema *schema,
               struct ArrowArray *array)
{
    schema->children[at] = new_schema(format, name, strlen(name), 0);
    array->children[at] = number_array(numbers, (size_t)array->length);
    return schema->children[at] != NULL && array->children[at] != NULL;
}
