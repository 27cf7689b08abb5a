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
        reading->line++;
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

static enum err read_file(struct reading *reading, FILE *file)
{
    char *buffer = mem_alloc(CHUNK);
    if (buffer == NULL)
        return ERR_NO_MEMORY;
    size_t kept = 0, taken = 0;
    enum err err = ERR_OK;
    for (bool is_last = false; !is_last && err == ERR_OK;) {
        size_t n = fread(buffer + kept, 1, CHUNK - kept, file);
        is_last = n < CHUNK - kept;
        if (is_last && ferror(file)) {
            err = diag_set(reading->diag, ERR_IO, reading->name, 0, "cannot read: %s; check the disk", strerror(errno));
            break;
        }
        err = take_bytes(reading, (struct str){buffer, kept + n}, is_last, &taken);
        if (err != ERR_OK)
            break;
        kept = kept + n - taken; /* less than a line */
        memmove(buffer, buffer + taken, kept);
        reading->bytes_done += (double)n;
        tell_progress(reading);
    }
    mem_free(buffer);
    return err == ERR_OK ? end_reading(reading) : err;
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

enum err road_table_read(struct road_table *table, const char *path, struct diag *diag)
{
    struct reading reading;
    struct stat stat;
    begin(&reading, table, path, diag);
    if (strcmp(path, "-") == 0)
        return read_file(&reading, stdin);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return diag_set(diag, err_from_errno(errno), path, 0, "cannot open: %s; mend the path", strerror(errno));
    if (fstat(fileno(file), &stat) == 0)
        reading.bytes_all = (double)stat.st_size;
    enum err err = read_file(&reading, file);
    fclose(file);
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
