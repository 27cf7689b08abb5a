/*
 * The witness's server: C2SP tlog-witness over HTTP on one loop. See brain/witness.h; docs/ledger.md has the file's format.
 *
 * The loop waits for the disk while a checkpoint is stored: judging, storing and signing are one step that nothing may come between
 * (the specification's own example of a race), and a log asks once a second. Who may ask is everybody, as the specification has it: nothing
 * is done for a checkpoint that a known log has not signed.
 */
#include "brain/witness.h"
#include "brain/ending.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "brain/files.h"
#include "brain/notify.h"
#include "http/server.h"
#include "ledger/witness_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_BAD_INPUT 2
#define EXIT_CANNOT_STORE 74 /* EX_IOERR of sysexits.h */
#define DEFAULT_PORT 8091

struct witness {
    const struct witness_run_options *options;
    struct yaml *file;
    char dir[WITNESS_PATH_MAX]; /* the file's folder, which the paths in it are relative to */
    struct str name;
    char address[64];
    uint16_t port;
    struct crypto_key *key;
    struct witness_store *store;
    struct loop *loop;
    struct http_server *server;
    struct http_mount mount;
    struct ending ending;
    struct loop_timer beat; /* systemd's watchdog */
};

/* ---- the door ---- */

static void tell(const struct witness_answer *answer)
{
    if (answer->is_fork)
        log_write(LOG_ERROR, "witness",
            "the log has signed two checkpoints of one size with different roots; both are kept as proof, and nothing of the second "
            "history is "
            "cosigned",
            LOG_STR("log", answer->origin), LOG_INT("size", (int64_t)answer->size), LOG_END);
    else if (answer->status == WITNESS_COSIGN)
        log_write(LOG_INFO, "witness", "cosigned", LOG_STR("log", answer->origin), LOG_INT("size", (int64_t)answer->size), LOG_END);
    else
        log_write(answer->status == WITNESS_NOT_CONSISTENT ? LOG_WARNING : LOG_INFO, "witness", "refused",
            LOG_INT("status", answer->status), LOG_STR("log", answer->origin), LOG_TEXT("why", answer->diag.text), LOG_END);
}

static void handle_add_checkpoint(struct http_exchange *x, void *context)
{
    struct witness *witness = context;
    struct witness_answer answer;
    struct buf out;
    buf_init(&out, 4096);
    enum err err =
        witness_store_add_checkpoint(witness->store, http_body(x), clock_wall(loop_clock(witness->loop)).ms / 1000, &out, &answer);
    if (err == ERR_NO_MEMORY) {
        http_reply_err(x, err, STR_NONE);
    } else if (err) {
        /* What is on the disk now nobody knows; a witness that answered from memory could be made to swear to two histories. */
        log_write(LOG_ERROR, "witness",
            "the disk refused; the witness stops so that it signs nothing that is not stored. Mend the disk, then "
            "start it again",
            LOG_ERR(err), LOG_END);
        _exit(EXIT_CANNOT_STORE);
    } else {
        tell(&answer);
        if (answer.status == WITNESS_COSIGN)
            http_reply(x, 200, "text/plain; charset=utf-8", buf_str(&out));
        else if (answer.status == WITNESS_CONFLICT)
            http_reply(x, 409, "text/x.tlog.size", buf_str(&out));
        else
            http_reply_problem(x, (int)answer.status, str_from_c(answer.diag.text), -1);
    }
    buf_finish(&out);
}

static enum err put_vkey(const struct witness *witness, struct buf *out)
{
    uint8_t public_key[32];
    crypto_key_public(witness->key, public_key);
    return note_witness_vkey_write(witness->name, public_key, out);
}

static void handle_vkey(struct http_exchange *x, void *context)
{
    struct buf text;
    buf_init(&text, 1024);
    enum err err = put_vkey(context, &text);
    if (err)
        http_reply_err(x, err, STR_NONE);
    else
        http_reply(x, 200, "text/plain; charset=utf-8", buf_str(&text));
    buf_finish(&text);
}

static void handle_health(struct http_exchange *x, void *context)
{
    const struct witness *witness = context;
    struct buf out;
    struct json_writer w;
    buf_init(&out, 128 * 1024);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_field_c(&w, "status", "ok");
    json_field_c(&w, "version", CITYBRAIN_VERSION);
    json_field_str(&w, "witness", witness->name);
    json_key(&w, "logs");
    json_begin_array(&w);
    for (size_t i = 0; i < witness_store_n_logs(witness->store); i++) {
        const struct witness_log *log = witness_store_log(witness->store, i);
        json_begin_object(&w);
        json_field_str(&w, "log", log->key.name);
        json_field_i64(&w, "size", (int64_t)log->size);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    http_reply_json(x, out.err ? 500 : 200, buf_str(&out));
    buf_finish(&out);
}

static const struct http_route routes[] = {
    {HTTP_POST, "/add-checkpoint", HTTP_SIGNED_BODY, WITNESS_BODY_MAX, handle_add_checkpoint,
        "A checkpoint to be cosigned (C2SP tlog-witness)"},
    {HTTP_GET, "/vkey", HTTP_PUBLIC, 0, handle_vkey, "The witness's verifier key"},
    {HTTP_GET, "/health", HTTP_PUBLIC, 0, handle_health, "Is the witness up, and what has it cosigned"},
};

/* ---- its file ---- */

/* `name` of the file, taken relative to the file's folder. */
static enum err path_beside(const struct witness *witness, struct str name, char out[WITNESS_PATH_MAX])
{
    bool is_absolute = name.len > 0 && name.ptr[0] == '/';
    int len = is_absolute ? snprintf(out, WITNESS_PATH_MAX, STR_FORMAT, STR_ARG(name))
                          : snprintf(out, WITNESS_PATH_MAX, "%s/" STR_FORMAT, witness->dir, STR_ARG(name));
    return len > 0 && len < WITNESS_PATH_MAX ? ERR_OK : ERR_TOO_LARGE;
}

static enum err find_file(struct witness *witness, char path[WITNESS_PATH_MAX], struct diag_list *diags)
{
    struct stat status;
    const char *given = witness->options->path;
    struct str dir = STR_INIT("."), name;
    bool is_dir = stat(given, &status) == 0 && S_ISDIR(status.st_mode);
    int len = snprintf(path, WITNESS_PATH_MAX, is_dir ? "%s/witness.yaml" : "%s", given);
    if (len < 0 || len >= WITNESS_PATH_MAX)
        return diag_add(diags, ERR_TOO_LARGE, given, 0, "the path is too long; give a shorter one");
    if (str_cut_last(str_from_c(path), '/', &dir, &name) && dir.len == 0)
        dir = STR("/");
    return str_to_c(dir, witness->dir, sizeof witness->dir);
}

static enum err read_file(struct witness *witness, struct diag_list *diags)
{
    static const char *const keys[] = {"witness", "http", "logs", "key", "state", NULL}, *const http_keys[] = {"address", "port", NULL};
    char path[WITNESS_PATH_MAX];
    size_t n_before = diags->n + diags->n_dropped;
    struct str address = STR_INIT("127.0.0.1");
    int64_t port = DEFAULT_PORT;
    enum err err = find_file(witness, path, diags);
    if (!err)
        err = yaml_load_file(path, diags, &witness->file);
    if (err)
        return err;
    struct yaml_node root = yaml_root(witness->file), http = yaml_get(root, "http");
    yaml_check_keys(root, keys, diags);
    if (yaml_get_str(root, "witness", true, diags, &witness->name) == ERR_OK && !note_is_key_name(witness->name))
        yaml_error(yaml_get(root, "witness"), diags, ERR_SYNTAX, "the witness's name holds a space or '+'; write one like hangzhou/police");
    if (!yaml_is_none(http)) {
        yaml_check_keys(http, http_keys, diags);
        yaml_get_str(http, "address", false, diags, &address);
        yaml_get_i64(http, "port", false, diags, 0, 65535, &port);
    }
    if (str_to_c(address, witness->address, sizeof witness->address))
        yaml_error(http, diags, ERR_SYNTAX, "the address is no address; write one like 127.0.0.1");
    witness->port = (uint16_t)(witness->options->port >= 0 ? witness->options->port : port);
    return diags->n + diags->n_dropped > n_before ? ERR_SYNTAX : ERR_OK;
}

/* ---- up ---- */

static enum err open_key(struct witness *witness, struct diag_list *diags)
{
    char path[WITNESS_PATH_MAX], folder[WITNESS_PATH_MAX];
    struct str name = STR_INIT("secrets/witness.key"), parent, last;
    struct diag diag = {""};
    uint8_t seed[32];
    yaml_get_str(yaml_root(witness->file), "key", false, diags, &name);
    enum err err = path_beside(witness, name, path);
    if (!err && str_cut_last(str_from_c(path), '/', &parent, &last) && parent.len > 0) {
        err = str_to_c(parent, folder, sizeof folder);
        if (!err)
            err = files_make_folder(folder, &diag);
    }
    if (!err)
        err = crypto_key_file(path, seed);
    if (err)
        return diag_add(diags, err, path, 0, "the witness's key cannot be read or made: %s", diag.text[0] ? diag.text : err_text(err));
    err = crypto_key_from_seed(seed, &witness->key);
    crypto_wipe(seed, sizeof seed);
    return err;
}

static enum err open_store(struct witness *witness, struct diag_list *diags)
{
    char path[WITNESS_PATH_MAX];
    struct diag diag = {""};
    struct str name = STR_INIT("state");
    struct yaml_node logs = yaml_get(yaml_root(witness->file), "logs");
    yaml_get_str(yaml_root(witness->file), "state", false, diags, &name);
    if (yaml_is_none(logs) || yaml_kind(logs) != YAML_LIST || yaml_n_items(logs) == 0)
        return yaml_error(yaml_is_none(logs) ? yaml_root(witness->file) : logs, diags, ERR_NOT_FOUND,
            "a witness needs the logs that it cosigns; write logs: and below it \"- VKEY\", as a brain gives it at /log/v1/vkey");
    enum err err = path_beside(witness, name, path);
    if (err)
        return diag_add(diags, err, NULL, 0, "the path of \"state\" is too long");
    struct witness_store_options options = {.dir = path, .name = witness->name, .key = witness->key};
    err = witness_store_open(&options, &diag, &witness->store);
    if (err)
        return diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : err_text(err));
    for (size_t i = 0; i < yaml_n_items(logs) && !err; i++) {
        err = witness_store_add_log(witness->store, yaml_text(yaml_item(logs, i)), &diag);
        if (err)
            yaml_error(yaml_item(logs, i), diags, err, "%s", diag.text[0] ? diag.text : err_text(err));
    }
    return err;
}

static enum err open_door(struct witness *witness, struct diag_list *diags)
{
    struct diag diag = {""};
    witness->mount = (struct http_mount){.routes = routes, .n_routes = sizeof routes / sizeof *routes, .context = witness};
    struct http_server_options options = {.address = witness->address, .port = witness->port, .mounts = &witness->mount, .n_mounts = 1};
    enum err err = http_port_check(witness->address, witness->port, &diag);
    if (!err)
        err = http_server_create(witness->loop, &options, &diag, &witness->server);
    if (err)
        return diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : err_text(err));
    witness->port = http_server_port(witness->server);
    return ERR_OK;
}

static enum err print_vkey(const struct witness *witness)
{
    struct buf text;
    buf_init(&text, 1024);
    enum err err = put_vkey(witness, &text);
    if (!err && (printf(STR_FORMAT "\n", STR_ARG(buf_str(&text))) < 0 || fflush(stdout) != 0))
        err = ERR_IO;
    buf_finish(&text);
    return err;
}

static enum err write_port(const struct witness *witness)
{
    FILE *file = witness->options->port_file ? fopen(witness->options->port_file, "w") : NULL;
    if (!file)
        return witness->options->port_file ? err_from_errno(errno) : ERR_OK;
    fprintf(file, "%u\n", witness->port);
    return fclose(file) == 0 ? ERR_OK : ERR_IO;
}

static enum err run(struct witness *witness, struct diag_list *diags)
{
    enum err err = read_file(witness, diags);
    if (!err)
        err = open_key(witness, diags);
    if (!err)
        err = print_vkey(witness);
    if (err || witness->options->only_vkey)
        return err;
    err = open_store(witness, diags);
    if (!err)
        err = loop_create(clock_system(), &witness->loop);
    if (!err)
        err = ending_block(&witness->ending, false);
    if (!err)
        err = ending_watch(&witness->ending, witness->loop);
    if (!err)
        err = open_door(witness, diags);
    if (!err)
        err = write_port(witness);
    if (err)
        return err;
    log_write(LOG_NOTICE, "witness", "the witness listens", LOG_STR("witness", witness->name), LOG_TEXT("address", witness->address),
        LOG_INT("port", witness->port), LOG_INT("logs", (int64_t)witness_store_n_logs(witness->store)), LOG_END);
    notify_ready(witness->port);
    notify_each_second(witness->loop, &witness->beat);
    err = loop_run(witness->loop);
    notify_stopping();
    loop_timer_stop(&witness->beat);
    return err;
}

int run_witness(const struct witness_run_options *options)
{
    struct witness witness = {.options = options, .ending = ENDING_NONE};
    struct diag_list *diags = mem_alloc_zero(1, sizeof *diags);
    if (!diags)
        return EXIT_BAD_INPUT;
    enum err err = run(&witness, diags);
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain witness: %s\n", diags->diags[i].text);
    if (err && diags->n == 0)
        fprintf(stderr, "citybrain witness: the witness did not start: %s\n", err_text(err));
    http_server_destroy(witness.server);
    ending_unwatch(&witness.ending);
    loop_destroy(witness.loop);
    ending_finish(&witness.ending);
    witness_store_close(witness.store);
    crypto_key_destroy(witness.key);
    yaml_destroy(witness.file);
    mem_free(diags);
    return err ? EXIT_BAD_INPUT : 0;
}
