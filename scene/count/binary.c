/* The binary form of a file of passages, read and written; see passages.h for its bytes. */
#include "scene/count/passages.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/outs.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define VERSION 1
#define HEADER_LEN 32
#define PLATE_LEN 14
#define PLATE_HASHED 0xff /* no byte of UTF-8 */
#define UNFINISHED UINT64_MAX
#define RECORDS_A_READ 8192
#define SEED 0x62696e617279u

static const uint8_t magic[COUNT_MAGIC_LEN] = {'c', 'b', 'p', 'a', 's', 's', '\r', '\n'};

bool count_binary_is(const uint8_t *bytes, size_t n)
{
    return n == sizeof(magic) && memcmp(bytes, magic, sizeof(magic)) == 0;
}

/* ---- a record: fixed places, so that no check is left for each of them ---- */

static uint64_t load_u64(const uint8_t *at)
{
    return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24 | (uint64_t)at[4] << 32 |
           (uint64_t)at[5] << 40 | (uint64_t)at[6] << 48 | (uint64_t)at[7] << 56;
}

static void store(uint8_t *at, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

#define U48(value_) ((int64_t)((value_)&0xffffffffffffu))

static const char *decode(
    const uint8_t record[COUNT_RECORD_LEN], const uint32_t *cameras, uint32_t n_cameras, struct count_record *ret_record)
{
    ret_record->arrived_ms = U48(load_u64(record));
    ret_record->pass_ms = U48(load_u64(record + 6));
    if (ret_record->arrived_ms > COUNT_TIME_FILE_MAX || ret_record->pass_ms > COUNT_TIME_FILE_MAX)
        return "a time is outside of 0 to 2^43 milliseconds";
    uint32_t camera = (uint32_t)load_u64(record + 12);
    if (camera >= n_cameras)
        return "its camera is not in the header";
    if (cameras[camera] == UINT32_MAX)
        return count_unknown_camera;
    ret_record->camera = cameras[camera];
    ret_record->lane = record[16];
    ret_record->confidence = record[17];
    const uint8_t *plate = record + 18;
    if (plate[0] == PLATE_HASHED) {
        ret_record->vehicle = load_u64(plate + 6);
        ret_record->plate = STR_NONE;
        return NULL;
    }
    const uint8_t *end = memchr(plate, 0, PLATE_LEN);
    ret_record->plate = (struct str){(const char *)plate, end != NULL ? (size_t)(end - plate) : PLATE_LEN};
    if (ret_record->plate.len == 0)
        return "a passage without a plate";
    ret_record->vehicle = str_hash(ret_record->plate);
    return NULL;
}

static void encode(const struct count_record *record, uint8_t out[COUNT_RECORD_LEN])
{
    memset(out, 0, COUNT_RECORD_LEN);
    store(out, (uint64_t)record->arrived_ms, 6);
    store(out + 6, (uint64_t)record->pass_ms, 6);
    store(out + 12, record->camera, 4);
    out[16] = record->lane;
    out[17] = record->confidence;
    /* What could not be told from a hash, or from a shorter plate, is kept as its hash. */
    bool fits = record->plate.len > 0 && record->plate.len <= PLATE_LEN && (uint8_t)record->plate.ptr[0] != PLATE_HASHED &&
                memchr(record->plate.ptr, 0, record->plate.len) == NULL;
    if (fits) {
        memcpy(out + 18, record->plate.ptr, record->plate.len);
    } else {
        out[18] = PLATE_HASHED;
        store(out + 24, record->vehicle, 8);
    }
}

/* ---- reading ---- */

struct header {
    uint32_t n_cameras;
    uint64_t records_at, n_records;
    uint32_t *cameras; /* [n_cameras] the reading's numbers; UINT32_MAX: unknown; owned */
};

static enum err refuse(const struct count_reading *reading, struct diag *diag, const char *why)
{
    return diag_set(diag, ERR_SYNTAX, reading->path, 0, "%s; convert the passages again", why);
}

/* The cameras' names and the zeros after them. */
static enum err read_names(struct count_reading *reading, FILE *file, struct diag *diag, struct header *header)
{
    uint64_t at = HEADER_LEN;
    char name[COUNT_NAME_MAX];
    for (uint32_t i = 0; i < header->n_cameras; i++) {
        int len = getc(file);
        if (len <= 0 || fread(name, 1, (size_t)len, file) != (size_t)len)
            return refuse(reading, diag, "the header's cameras are cut off");
        at += 1 + (uint64_t)len;
        struct str text = {name, (size_t)len};
        int64_t known = str_map_find(reading->cameras, text);
        header->cameras[i] = known < 0 ? UINT32_MAX : (uint32_t)known;
        if (known < 0 && reading->adds_cameras && str_map_add(reading->cameras, text, &header->cameras[i]) != ERR_OK)
            return diag_set(diag, ERR_FULL, reading->path, 0, "more than %u cameras; part the file", reading->cameras->limit);
    }
    if (at > header->records_at || header->records_at - at >= COUNT_RECORD_LEN)
        return refuse(reading, diag, "the records do not begin after the cameras");
    for (; at < header->records_at; at++)
        if (getc(file) != 0)
            return refuse(reading, diag, "the header is cut off");
    return ERR_OK;
}

static enum err read_header(struct count_reading *reading, FILE *file, struct diag *diag, struct header *header)
{
    uint8_t bytes[HEADER_LEN - COUNT_MAGIC_LEN];
    struct bytes_reader in;
    if (fread(bytes, 1, sizeof(bytes), file) != sizeof(bytes))
        return refuse(reading, diag, "the header is cut off");
    bytes_reader_init(&in, bytes, sizeof(bytes));
    uint32_t version = bytes_read_u32le(&in);
    header->n_cameras = bytes_read_u32le(&in);
    header->records_at = bytes_read_u64le(&in);
    header->n_records = bytes_read_u64le(&in);
    if (version != VERSION)
        return diag_set(
            diag, ERR_UNSUPPORTED, reading->path, 0, "version %u is not known here, only %d; convert the passages again", version, VERSION);
    if (header->n_records == UNFINISHED)
        return refuse(reading, diag, "it was never finished");
    if (header->n_cameras > COUNT_CAMERAS_FILE_MAX || header->records_at % COUNT_RECORD_LEN != 0 ||
        header->records_at > HEADER_LEN + (uint64_t)COUNT_CAMERAS_FILE_MAX * (1 + COUNT_NAME_MAX) + COUNT_RECORD_LEN)
        return refuse(reading, diag, "the header makes no sense");
    header->cameras = mem_alloc((header->n_cameras + 1) * sizeof(*header->cameras));
    if (header->cameras == NULL)
        return ERR_NO_MEMORY;
    return read_names(reading, file, diag, header);
}

static void take_record(struct count_reading *reading, const struct header *header, const uint8_t *bytes)
{
    struct count_record record = {.line = ++reading->n_lines};
    const char *wrong = decode(bytes, header->cameras, header->n_cameras, &record);
    if (wrong == NULL)
        wrong = reading->on_record(reading->context, &record);
    if (wrong != NULL)
        count_reading_tell(reading, record.line, wrong);
}

static void tell_progress(struct count_reading *reading, uint64_t n_records)
{
    double share = (double)reading->n_lines / (double)n_records;
    if (reading->on_progress == NULL || share < reading->told_share + 0.01)
        return;
    reading->told_share = share;
    reading->on_progress(reading->context, share);
}

static enum err read_records(struct count_reading *reading, FILE *file, struct diag *diag, const struct header *header, uint8_t *buffer)
{
    for (uint64_t left = header->n_records; left > 0;) {
        size_t wanted = left < RECORDS_A_READ ? (size_t)left : RECORDS_A_READ;
        size_t n = fread(buffer, COUNT_RECORD_LEN, wanted, file);
        for (size_t i = 0; i < n; i++)
            take_record(reading, header, buffer + i * COUNT_RECORD_LEN);
        if (n < wanted && ferror(file))
            return diag_set(diag, ERR_IO, reading->path, 0, "cannot read: %s; check the disk", strerror(errno));
        if (n < wanted)
            return diag_set(diag, ERR_SYNTAX, reading->path, 0, "it is cut off: %llu of its %llu passages are there; convert them again",
                (unsigned long long)reading->n_lines, (unsigned long long)header->n_records);
        left -= n;
        tell_progress(reading, header->n_records);
    }
    return getc(file) == EOF ? ERR_OK : refuse(reading, diag, "there is more in it than its header says");
}

enum err count_binary_read(struct count_reading *reading, FILE *file, struct diag *diag)
{
    struct header header = {0};
    uint8_t *buffer = NULL;
    enum err err = read_header(reading, file, diag, &header);
    if (err == ERR_OK) {
        buffer = mem_alloc(RECORDS_A_READ * COUNT_RECORD_LEN);
        err = buffer != NULL ? read_records(reading, file, diag, &header, buffer) : ERR_NO_MEMORY;
    }
    mem_free(buffer);
    mem_free(header.cameras);
    return err;
}

/* ---- writing ---- */

struct writing {
    FILE *file;
    uint64_t n;
};

static const char *count_nothing(void *context, const struct count_record *record)
{
    return NULL;
}

static const char *write_record(void *context, const struct count_record *record)
{
    struct writing *writing = context;
    uint8_t bytes[COUNT_RECORD_LEN];
    encode(record, bytes);
    writing->n += fwrite(bytes, sizeof(bytes), 1, writing->file); /* an error sticks in the file */
    return NULL;
}

static void write_header(FILE *file, const struct str_map *cameras, uint64_t n_records)
{
    uint8_t bytes[HEADER_LEN];
    uint64_t len = HEADER_LEN;
    for (uint32_t i = 0; i < cameras->n; i++)
        len += 1 + str_map_key(cameras, i).len;
    uint64_t records_at = (len + COUNT_RECORD_LEN - 1) / COUNT_RECORD_LEN * COUNT_RECORD_LEN;
    memcpy(bytes, magic, sizeof(magic));
    store(bytes + 8, VERSION, 4);
    store(bytes + 12, cameras->n, 4);
    store(bytes + 16, records_at, 8);
    store(bytes + 24, n_records, 8);
    fwrite(bytes, 1, sizeof(bytes), file);
    for (uint32_t i = 0; i < cameras->n; i++) {
        struct str name = str_map_key(cameras, i);
        putc((int)name.len, file);
        fwrite(name.ptr, 1, name.len, file);
    }
    for (; len < records_at; len++)
        putc(0, file);
}

/* Reading the second time; what is told of lines goes to the caller's own reading. */
struct second {
    struct count_reading *outer;
    struct writing writing;
};

static const char *write_through(void *context, const struct count_record *record)
{
    return write_record(&((struct second *)context)->writing, record);
}

static void tell_through(void *context, const char *text)
{
    const struct count_reading *outer = ((struct second *)context)->outer;
    if (outer->on_broken != NULL)
        outer->on_broken(outer->context, text);
}

static void progress_through(void *context, double share)
{
    const struct count_reading *outer = ((struct second *)context)->outer;
    if (outer->on_progress != NULL)
        outer->on_progress(outer->context, share);
}

/* The input is read twice: a pipe would be empty the second time. */
static enum err see_input(const char *path, struct diag *diag)
{
    struct stat about;
    if (strcmp(path, "-") == 0 || (stat(path, &about) == 0 && !S_ISREG(about.st_mode)))
        return diag_set(diag, ERR_UNSUPPORTED, path, 0, "it is read twice, and so must be a plain file");
    return ERR_OK; /* or not there, which opening tells */
}

/* The names first, since they stand before the records; then the file once more. */
enum err count_passages_convert(
    struct count_reading *reading, const char *from_path, const char *to_path, struct diag *diag, uint64_t *ret_n)
{
    struct str_map cameras;
    str_map_init(&cameras, COUNT_CAMERAS_FILE_MAX, SEED);
    struct count_reading names = {.cameras = &cameras, .adds_cameras = true, .on_record = count_nothing};
    struct second second = {.outer = reading};
    struct count_reading again = {.cameras = &cameras,
        .adds_cameras = true,
        .on_record = write_through,
        .on_broken = tell_through,
        .on_progress = progress_through,
        .context = &second};
    struct outs outs = {.n = 0};
    FILE *file = NULL;
    enum err err = see_input(from_path, diag);
    if (err == ERR_OK)
        err = count_passages_read(&names, from_path, diag);
    uint32_t n_cameras = cameras.n;
    outs_spare(&outs, from_path);
    if (err == ERR_OK)
        err = outs_open(&outs, to_path, diag, &file);
    if (err == ERR_OK) {
        second.writing.file = file;
        write_header(file, &cameras, UNFINISHED);
        err = count_passages_read(&again, from_path, diag);
    }
    if (err == ERR_OK && cameras.n != n_cameras)
        err = diag_set(diag, ERR_BUSY, from_path, 0, "it changed while it was read; convert it when it is whole");
    if (err == ERR_OK && fflush(file) != 0)
        err = diag_set(diag, err_from_errno(errno), to_path, 0, "cannot write it whole: %s; free some of the disk", strerror(errno));
    if (err == ERR_OK && fseek(file, 0, SEEK_SET) != 0)
        err = diag_set(diag, err_from_errno(errno), to_path, 0, "cannot go back to its header: %s; give a plain file", strerror(errno));
    if (err == ERR_OK)
        write_header(file, &cameras, second.writing.n);
    enum err closed = outs_close(file, to_path, err == ERR_OK ? diag : NULL);
    err = err != ERR_OK ? err : closed;
    reading->n_lines = again.n_lines;
    reading->n_broken = again.n_broken;
    *ret_n = second.writing.n;
    str_map_finish(&cameras);
    return err;
}
