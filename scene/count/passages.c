/* Files of passages as text, and which form a file has; see passages.h. */
#include "scene/count/passages.h"

#include "base/mem.h"
#include "scene/count/plain.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK (512u << 10)
#define CUT_AHEAD 8u
#define NOTHING_WRONG NULL

const char count_unknown_camera[] = "an unknown camera";

void count_reading_tell(struct count_reading *reading, uint64_t line, const char *why)
{
    reading->n_broken++;
    reading->n_unknown += why == count_unknown_camera;
    if (reading->on_broken == NULL)
        return;
    char text[320];
    snprintf(text, sizeof(text), "%.150s:%llu: %.120s", reading->path, (unsigned long long)line, why);
    reading->on_broken(reading->context, text);
}

/* ---- a line ---- */

bool count_field_cut(struct str *rest, struct str *ret_field)
{
    if (rest->ptr == NULL)
        return false;
    const char *comma = memchr(rest->ptr, ',', rest->len);
    if (comma == NULL) {
        *ret_field = *rest;
        *rest = STR_NONE;
        return true;
    }
    size_t len = (size_t)(comma - rest->ptr);
    *ret_field = (struct str){rest->ptr, len};
    *rest = (struct str){comma + 1, rest->len - len - 1};
    return true;
}

bool count_digits_read(struct str field, int64_t *ret_value)
{
    if (field.len == 0 || field.len > 18)
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < field.len; i++) {
        unsigned digit = (unsigned char)field.ptr[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

const char *count_time_read(struct str field, int64_t *ret_ms)
{
    if (count_digits_read(field, ret_ms))
        return *ret_ms <= COUNT_TIME_FILE_MAX ? NOTHING_WRONG : "a time is outside of 0 to 2^43 milliseconds";
    int64_t other;
    enum err err = str_to_i64(field, &other); /* why not? */
    return err == ERR_OK ? "a time is outside of 0 to 2^43 milliseconds" : "a time is not a whole number of milliseconds";
}

/* A small number that need not be known. */
static bool read_small(struct str field, int64_t max, uint8_t none, uint8_t *ret_value)
{
    int64_t value = none;
    if (field.len > 0 && (!count_digits_read(field, &value) || value > max))
        return false;
    *ret_value = (uint8_t)value;
    return true;
}

static const char *find_camera(struct count_reading *reading, struct str name, uint32_t *ret_camera)
{
    int64_t camera = str_map_find(reading->cameras, name);
    if (camera < 0) {
        if (!reading->adds_cameras)
            return count_unknown_camera;
        if (name.len == 0 || name.len > COUNT_NAME_MAX)
            return "a camera's name has 1 to 255 bytes";
        return str_map_add(reading->cameras, name, ret_camera) == ERR_OK ? NOTHING_WRONG : "more cameras than a file may have";
    }
    *ret_camera = (uint32_t)camera;
    return NOTHING_WRONG;
}

const char *count_line_read(struct count_reading *reading, struct str line, struct count_record *ret_record)
{
    struct str pass, arrived, camera, lane, confidence, rest = line;
    if (!count_field_cut(&rest, &pass) || !count_field_cut(&rest, &arrived) || !count_field_cut(&rest, &camera) ||
        !count_field_cut(&rest, &lane) || !count_field_cut(&rest, &ret_record->plate) || !count_field_cut(&rest, &confidence) ||
        rest.ptr != NULL)
        return "a passage has six fields";
    const char *wrong = count_time_read(pass, &ret_record->pass_ms);
    if (wrong == NULL)
        wrong = count_time_read(arrived, &ret_record->arrived_ms);
    if (wrong == NULL)
        wrong = find_camera(reading, camera, &ret_record->camera);
    if (wrong != NULL)
        return wrong;
    if (ret_record->plate.len == 0)
        return "a passage without a plate";
    if (!read_small(lane, 255, COUNT_LANE_NONE, &ret_record->lane))
        return "a lane is a whole number up to 255, or empty";
    if (!read_small(confidence, 100, COUNT_CONFIDENCE_NONE, &ret_record->confidence))
        return "a confidence is a whole number up to 100, or empty";
    ret_record->vehicle = str_hash(ret_record->plate);
    return NOTHING_WRONG;
}

/* ---- a file ---- */

struct text {
    struct count_reading *reading;
    struct diag *diag;
    struct count_plain plain;
    uint64_t line;
    bool has_header, is_cut; /* is_cut: in a line that is too long */
};

/* How much of a first line a message shows: what is plain, as a line of another format may be anything. */
static int header_shown(struct str line)
{
    int n = 0;
    while ((size_t)n < line.len && n < 120 && line.ptr[n] >= ' ' && line.ptr[n] <= '~')
        n++;
    return n;
}

static enum err take_header(struct text *text, struct str line)
{
    if (str_starts_with(line, STR("\xef\xbb\xbf")))
        line = str_slice(line, 3, line.len);
    bool is_packed = str_starts_with(line, STR("\x1f\x8b"));
    if (is_packed)
        return diag_set(text->diag, ERR_SYNTAX, text->reading->path, 1,
            "it is compressed; unpack it: gzip -dc FILE | citybrain count --passages - ...");
    if (!str_equal_c(line, COUNT_PASSAGES_HEADER))
        return diag_set(text->diag, ERR_SYNTAX, text->reading->path, 1,
            "the first line is not \"" COUNT_PASSAGES_HEADER "\" but \"%.*s\"; give it these columns, in this order", header_shown(line),
            line.ptr);
    text->has_header = true;
    return ERR_OK;
}

static enum err take_line(struct text *text, struct str line)
{
    struct count_reading *reading = text->reading;
    text->line++;
    if (text->is_cut || line.len > COUNT_LINE_MAX) {
        text->is_cut = false;
        reading->n_lines++;
        count_reading_tell(reading, text->line, "the line is too long");
        return ERR_OK;
    }
    line = str_trim(line);
    if (!text->has_header)
        return take_header(text, line);
    if (line.len == 0)
        return ERR_OK;
    struct count_record record = {.line = text->line};
    reading->n_lines++;
    const char *wrong = count_line_read(reading, line, &record);
    if (wrong == NULL) {
        count_plain_learn(&text->plain, str_map_key(reading->cameras, record.camera), record.camera);
        wrong = reading->on_record(reading->context, &record);
    }
    if (wrong != NULL)
        count_reading_tell(reading, text->line, wrong);
    return ERR_OK;
}

/* A line that was cut into its fields some lines ago. */
static void take_cut(struct text *text, const char *bytes, struct count_plain_line *line)
{
    struct count_reading *reading = text->reading;
    line->record.camera = count_plain_camera(&text->plain, line);
    if (line->record.camera == UINT32_MAX) {
        (void)take_line(text, (struct str){bytes + line->at, line->len - 1}); /* behind the header nothing ends the reading */
        return;
    }
    reading->n_lines++;
    line->record.line = ++text->line;
    const char *wrong = reading->on_record(reading->context, &line->record);
    if (wrong != NULL)
        count_reading_tell(reading, line->record.line, wrong);
}

/* The plain lines that `bytes` begin with, nearly all there are; the bytes they have. Some are cut ahead, so that memory has the time to
 * answer where their cameras are. */
static size_t take_plain(struct text *text, struct str bytes)
{
    struct count_plain_line lines[CUT_AHEAD];
    uint32_t n_cut = 0, n_taken = 0;
    for (size_t at = 0, len;; at += len) {
        struct count_plain_line *line = &lines[n_cut % CUT_AHEAD];
        if (n_cut - n_taken == CUT_AHEAD)
            take_cut(text, bytes.ptr, &lines[n_taken++ % CUT_AHEAD]);
        len = at < bytes.len ? count_plain_read(&text->plain, bytes.ptr + at, line) : 0;
        if (len == 0 || len > bytes.len - at) {
            while (n_taken != n_cut)
                take_cut(text, bytes.ptr, &lines[n_taken++ % CUT_AHEAD]);
            return at;
        }
        line->at = at;
        line->len = len;
        n_cut++;
    }
}

/* Each whole line of `bytes`, and the rest too with the last ones; *ret_taken: bytes that need not be given again. */
static enum err take_bytes(struct text *text, struct str bytes, bool is_last, size_t *ret_taken)
{
    size_t at = 0;
    enum err err = ERR_OK;
    while (at < bytes.len && err == ERR_OK) {
        if (text->has_header && !text->is_cut)
            at += take_plain(text, str_slice(bytes, at, bytes.len));
        if (at == bytes.len)
            break;
        const char *end = memchr(bytes.ptr + at, '\n', bytes.len - at);
        size_t len = end != NULL ? (size_t)(end - bytes.ptr) - at : bytes.len - at;
        if (end == NULL && !is_last) {
            if (len <= COUNT_LINE_MAX)
                break;
            text->is_cut = true; /* it is thrown away as it comes */
            at = bytes.len;
            break;
        }
        err = take_line(text, (struct str){bytes.ptr + at, len});
        at += len + (end != NULL);
    }
    *ret_taken = at;
    return err;
}

static void tell_progress(struct count_reading *reading, size_t n)
{
    reading->bytes_done += (double)n;
    double share = reading->bytes_all > 0 ? reading->bytes_done / reading->bytes_all : 0;
    if (reading->on_progress == NULL || share < reading->told_share + 0.01)
        return;
    reading->told_share = share < 1 ? share : 1;
    reading->on_progress(reading->context, reading->told_share);
}

/* `kept` bytes of it are in the buffer already. */
static enum err read_text(struct text *text, FILE *file, char *buffer, size_t kept)
{
    struct count_reading *reading = text->reading;
    size_t taken = 0;
    enum err err = ERR_OK;
    for (bool is_last = false; !is_last && err == ERR_OK;) {
        size_t n = fread(buffer + kept, 1, CHUNK - kept, file);
        is_last = n < CHUNK - kept;
        if (is_last && ferror(file))
            return diag_set(text->diag, ERR_IO, reading->path, 0, "cannot read: %s; check the disk", strerror(errno));
        err = take_bytes(text, (struct str){buffer, kept + n}, is_last, &taken);
        kept = kept + n - taken; /* less than a line */
        memmove(buffer, buffer + taken, kept);
        tell_progress(reading, n);
    }
    if (err == ERR_OK && !text->has_header)
        err = diag_set(text->diag, ERR_SYNTAX, reading->path, 1, "the file is empty; its first line is \"%s\"", COUNT_PASSAGES_HEADER);
    return err;
}

enum err count_passages_read(struct count_reading *reading, const char *path, struct diag *diag)
{
    reading->path = path;
    reading->n_lines = reading->n_broken = 0;
    reading->bytes_all = reading->bytes_done = reading->told_share = 0;
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    if (file == NULL)
        return diag_set(diag, err_from_errno(errno), path, 0, "cannot open: %s; mend the path", strerror(errno));
    struct stat about;
    if (fstat(fileno(file), &about) == 0)
        reading->bytes_all = (double)about.st_size;
    struct text text = {.reading = reading, .diag = diag};
    char *buffer = mem_alloc_zero(1, CHUNK + COUNT_PLAIN_MAX);
    enum err err = buffer == NULL ? ERR_NO_MEMORY : ERR_OK;
    size_t n = err == ERR_OK ? fread(buffer, 1, COUNT_MAGIC_LEN, file) : 0;
    if (err == ERR_OK && count_binary_is((const uint8_t *)buffer, n)) {
        mem_free(buffer);
        buffer = NULL;
        err = count_binary_read(reading, file, diag);
    } else if (err == ERR_OK)
        err = read_text(&text, file, buffer, n);
    mem_free(buffer);
    count_plain_finish(&text.plain);
    if (!is_stdin)
        fclose(file);
    if (err == ERR_OK && reading->on_progress != NULL && reading->told_share < 1)
        reading->on_progress(reading->context, 1);
    return err;
}
