/* Tables from outside; see table.h. */
#include "road/table.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK (256u << 10)
#define FIELDS_MAX 64 /* of a line; columns that are passed over among them */

struct reading {
    struct road_table *table;
    const char *name;
    struct diag *diag;
    uint64_t line;
    bool has_header, is_cut;    /* is_cut: in a line that is too long */
    uint8_t places[FIELDS_MAX]; /* of a field among the columns; COLUMNS_MAX: passed over */
    size_t n_places;
    double bytes_all, bytes_done, told_share;
};

static void tell_broken(struct reading *reading, const char *why)
{
    reading->table->n_broken++;
    if (reading->table->on_broken == NULL)
        return;
    char text[320];
    snprintf(text, sizeof(text), "%.150s:%llu: %.120s", reading->name, (unsigned long long)reading->line, why);
    reading->table->on_broken(reading->table->context, text);
}

static bool next_field(struct str *rest, struct str *ret_field)
{
    if (rest->ptr == NULL)
        return false;
    if (!str_cut(*rest, ',', ret_field, rest)) {
        *ret_field = *rest;
        *rest = STR_NONE;
    } else if (rest->ptr == NULL)
        *rest = STR(""); /* a comma at the end: one more, empty */
    *ret_field = str_trim(*ret_field);
    return true;
}

static enum err take_header(struct reading *reading, struct str line)
{
    struct road_table *table = reading->table;
    struct str rest = line, field;
    uint32_t present = 0;
    if (str_starts_with(rest, STR("\xef\xbb\xbf")))
        rest = str_slice(rest, 3, rest.len);
    while (next_field(&rest, &field)) {
        if (reading->n_places == FIELDS_MAX)
            return diag_set(reading->diag, ERR_SYNTAX, reading->name, 1, "more than %d columns; leave out those not asked for", FIELDS_MAX);
        uint8_t place = ROAD_TABLE_COLUMNS_MAX;
        for (uint8_t i = 0; table->columns[i] != NULL; i++)
            if (str_equal_c(field, table->columns[i]))
                place = i;
        if (place < ROAD_TABLE_COLUMNS_MAX && present & 1u << place)
            return diag_set(reading->diag, ERR_SYNTAX, reading->name, 1, "column \"%s\" is there twice; rename one", table->columns[place]);
        if (place < ROAD_TABLE_COLUMNS_MAX)
            present |= 1u << place;
        reading->places[reading->n_places++] = place;
    }
    const char *missing = table->on_header != NULL ? table->on_header(table->context, present) : NULL;
    if (missing != NULL)
        return diag_set(reading->diag, ERR_SYNTAX, reading->name, 1, "%s", missing);
    return ERR_OK;
}

static void take_line(struct reading *reading, struct str line)
{
    struct road_table *table = reading->table;
    struct str fields[ROAD_TABLE_COLUMNS_MAX + 1] = {{NULL, 0}}, rest = line, field;
    size_t n = 0;
    table->n_lines++;
    while (next_field(&rest, &field)) {
        if (n == reading->n_places) {
            tell_broken(reading, "more fields than columns");
            return;
        }
        fields[reading->places[n++]] = field;
    }
    if (n < reading->n_places) {
        tell_broken(reading, "fewer fields than columns");
        return;
    }
    const char *wrong = table->on_line(table->context, fields);
    if (wrong != NULL)
        tell_broken(reading, wrong);
}

/* Each whole line of `bytes`, and the rest too with the last ones; *ret_taken: bytes that need not be given again. */
static enum err take_bytes(struct reading *reading, struct str bytes, bool is_last, size_t *ret_taken)
{
    size_t at = 0;
    while (at < bytes.len) {
        const char *end = memchr(bytes.ptr + at, '\n', bytes.len - at);
        size_t len = end != NULL ? (size_t)(end - bytes.ptr) - at : bytes.len - at;
        if (end == NULL && !is_last) {
            if (len <= ROAD_TABLE_LINE_MAX)
                break;
            reading->is_cut = true; /* it is thrown away as it comes */
            at = bytes.len;
            break;
        }
        reading->table->line = ++reading->line;
        struct str line = str_trim((struct str){bytes.ptr + at, len});
        at += len + (end != NULL);
        if (reading->is_cut || len > ROAD_TABLE_LINE_MAX) {
            reading->is_cut = false;
            reading->table->n_lines++;
            tell_broken(reading, "the line is too long");
        } else if (!reading->has_header) {
            enum err err = take_header(reading, line);
            if (err != ERR_OK)
                return err;
            reading->has_header = true;
        } else if (!str_is_empty(line))
            take_line(reading, line);
    }
    *ret_taken = at;
    return ERR_OK;
}

static enum err end_reading(struct reading *reading)
{
    if (!reading->has_header)
        return diag_set(reading->diag, ERR_SYNTAX, reading->name, 1, "the file is empty; its first line names the columns");
    if (reading->table->on_progress != NULL && reading->told_share < 1)
        reading->table->on_progress(reading->table->context, 1);
    return ERR_OK;
}

static void tell_progress(struct reading *reading)
{
    double share = reading->bytes_all > 0 ? reading->bytes_done / reading->bytes_all : 0;
    if (reading->table->on_progress == NULL || share < reading->told_share + 0.01)
        return;
    reading->told_share = share < 1 ? share : 1;
    reading->table->on_progress(reading->table->context, reading->told_share);
}

static void begin(struct reading *reading, struct road_table *table, const char *name, struct diag *diag)
{
    *reading = (struct reading){.table = table, .name = name, .diag = diag};
    table->n_lines = table->n_broken = 0;
    size_t n = 0;
    while (table->columns[n] != NULL)
        n++;
    assert(n <= ROAD_TABLE_COLUMNS_MAX);
}

struct road_table_file {
    struct reading reading;
    FILE *file;
    char *buffer; /* [CHUNK] */
    size_t kept;  /* less than a line */
};

enum err road_table_open(struct road_table *table, const char *path, struct diag *diag, struct road_table_file **ret_file)
{
    struct stat stat;
    struct road_table_file *file = mem_alloc_zero(1, sizeof(*file));
    if (file == NULL || (file->buffer = mem_alloc(CHUNK)) == NULL) {
        mem_free(file);
        return ERR_NO_MEMORY;
    }
    begin(&file->reading, table, path, diag);
    file->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (file->file == NULL) {
        road_table_close(file);
        return diag_set(diag, err_from_errno(errno), path, 0, "cannot open: %s; mend the path", strerror(errno));
    }
    if (file->file != stdin && fstat(fileno(file->file), &stat) == 0)
        file->reading.bytes_all = (double)stat.st_size;
    *ret_file = file;
    return ERR_OK;
}

enum err road_table_go_on(struct road_table_file *file, bool *ret_is_end)
{
    struct reading *reading = &file->reading;
    size_t taken = 0, n = fread(file->buffer + file->kept, 1, CHUNK - file->kept, file->file);
    bool is_last = n < CHUNK - file->kept;
    if (is_last && ferror(file->file))
        return diag_set(reading->diag, ERR_IO, reading->name, 0, "cannot read: %s; check the disk", strerror(errno));
    enum err err = take_bytes(reading, (struct str){file->buffer, file->kept + n}, is_last, &taken);
    if (err != ERR_OK)
        return err;
    file->kept = file->kept + n - taken;
    memmove(file->buffer, file->buffer + taken, file->kept);
    reading->bytes_done += (double)n;
    tell_progress(reading);
    *ret_is_end = is_last;
    return is_last ? end_reading(reading) : ERR_OK;
}

void road_table_close(struct road_table_file *file)
{
    if (file == NULL)
        return;
    if (file->file != NULL && file->file != stdin)
        fclose(file->file);
    mem_free(file->buffer);
    mem_free(file);
}

enum err road_table_read(struct road_table *table, const char *path, struct diag *diag)
{
    struct road_table_file *file = NULL;
    bool is_end = false;
    table->n_lines = table->n_broken = 0;
    enum err err = road_table_open(table, path, diag, &file);
    while (err == ERR_OK && !is_end)
        err = road_table_go_on(file, &is_end);
    road_table_close(file);
    return err;
}

enum err road_table_parse(struct road_table *table, struct str bytes, const char *name, struct diag *diag)
{
    struct reading reading;
    size_t unused;
    begin(&reading, table, name, diag);
    enum err err = take_bytes(&reading, bytes, true, &unused);
    return err == ERR_OK ? end_reading(&reading) : err;
}
