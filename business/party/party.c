/* Reads parties.yaml's people and programs; tokens of programs; life. */
#include "business/party/party.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str_map.h"
#include "business/party/people.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_HEX PARTY_TOKEN_HEX

const char *const party_role_names[] = {"manage", "audit", "operate", NULL}; /* in the order of enum http_role's bits */

static int by_name(const void *a, const void *b)
{
    return str_compare(((const struct party_person *)a)->name, ((const struct party_person *)b)->name);
}

struct party_person *party_person_find(struct party_people *people, struct str name)
{
    struct party_person wanted = {.name = name};
    return people->n_people ? bsearch(&wanted, people->people, people->n_people, sizeof(wanted), by_name) : NULL;
}

/* ---- parties.yaml ---- */

/* One role a person: who manages contracts does not audit them, and who operates the systems does neither (GB/T 39477). */
static void read_roles(const struct str_map *parties, struct yaml_node map, struct diag_list *diags, struct party_person *ret)
{
    struct yaml_node list = yaml_get(map, "roles");
    ret->acts_for = ret->post;
    if (!yaml_is_none(yaml_get(map, "for")) && yaml_get_str(map, "for", true, diags, &ret->acts_for) == ERR_OK &&
        str_map_find(parties, ret->acts_for) < 0)
        yaml_error(
            yaml_get(map, "for"), diags, ERR_NOT_FOUND, "there is no party \"" STR_FORMAT "\"; declare it above", STR_ARG(ret->acts_for));
    if (yaml_is_none(list))
        return;
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        unsigned role = 0;
        for (size_t at = 0; party_role_names[at]; at++)
            if (str_equal_c(yaml_text(yaml_item(list, i)), party_role_names[at]))
                role = 1u << at;
        if (!role)
            yaml_error(yaml_item(list, i), diags, ERR_RANGE, "\"" STR_FORMAT "\" is no role; the roles are manage, audit and operate",
                STR_ARG(yaml_text(yaml_item(list, i))));
        ret->roles |= role;
    }
    if (ret->roles & (ret->roles - 1))
        yaml_error(list, diags, ERR_DENIED, "manage, audit and operate are kept apart; give one of them to another person");
}

/* A citizen: the keys under which departments know them, and nothing of an official's. */
static void read_subject(struct yaml_node map, struct diag_list *diags, struct party_person *ret)
{
    struct yaml_node subject = yaml_get(map, "subject");
    json_t *json = json_object();
    struct buf text;
    buf_init(&text, PARTY_SUBJECT_MAX);
    size_t n = yaml_kind(subject) == YAML_MAP ? yaml_n_items(subject) : 0;
    bool is_fine = n > 0 && n <= PARTY_SUBJECT_KEYS_MAX;
    for (size_t i = 0; i < n && is_fine; i++) {
        struct str name = yaml_text(yaml_map_key(subject, i)), value = yaml_text(yaml_map_value(subject, i));
        is_fine = str_is_name(name) && !str_is_empty(value) &&
                  json_object_setn_new(json, name.ptr, name.len, json_stringn(value.ptr, value.len)) == 0;
    }
    if (!is_fine)
        yaml_error(subject, diags, ERR_SYNTAX, "subject: is a map of 1 to %d own keys of a citizen, {plate: …}", PARTY_SUBJECT_KEYS_MAX);
    else if (!yaml_is_none(yaml_get(map, "area")) || !yaml_is_none(yaml_get(map, "for")) || !yaml_is_none(yaml_get(map, "roles")))
        yaml_error(map, diags, ERR_DENIED, "a citizen has no area, no roles and acts for nobody; leave them out, or leave out subject:");
    else if (json_write_canonical(json, &text) == ERR_OK) {
        ret->subject = buf_str(&text); /* taken */
        text = (struct buf){0};
    }
    json_decref(json);
    buf_finish(&text);
}

static void read_person(const struct party_options *options, const struct str_map *parties, struct yaml_node map, struct diag_list *diags,
    struct party_person *ret)
{
    static const char *const keys[] = {"name", "title", "post", "for", "roles", "area", "subject", "password", NULL};
    struct str password = STR_NONE;
    *ret = (struct party_person){.has_demo_password = false};
    yaml_check_keys(map, keys, diags);
    if (yaml_get_str(map, "name", true, diags, &ret->name) == ERR_OK && !str_is_name(ret->name))
        yaml_error(
            yaml_get(map, "name"), diags, ERR_SYNTAX, "\"" STR_FORMAT "\" is no name; use a-z, 0-9, '.', '-' and '_'", STR_ARG(ret->name));
    if (yaml_get_str(map, "post", true, diags, &ret->post) == ERR_OK && str_map_find(parties, ret->post) < 0)
        yaml_error(yaml_get(map, "post"), diags, ERR_NOT_FOUND, "there is no party \"" STR_FORMAT "\"; declare it above, kind: post",
            STR_ARG(ret->post));
    read_roles(parties, map, diags, ret);
    struct yaml_node title = yaml_get(map, "title");
    yaml_get_str(title, "zh", true, diags, &ret->title_zh);
    yaml_get_str(title, "en", true, diags, &ret->title_en);
    if (!yaml_is_none(yaml_get(map, "subject")))
        read_subject(map, diags, ret);
    else if (yaml_get_str(map, "area", true, diags, &ret->area) == ERR_OK && area_find(options->areas, ret->area) < 0)
        yaml_error(yaml_get(map, "area"), diags, ERR_NOT_FOUND, "there is no area \"" STR_FORMAT "\"; areas.yaml has them all",
            STR_ARG(ret->area));
    if (yaml_get_str(map, "password", false, diags, &password) != ERR_OK)
        return;
    if (!str_equal_c(password, "demo"))
        yaml_error(yaml_get(map, "password"), diags, ERR_DENIED,
            "a password does not belong into a file; take it out and set it with `citybrain password`");
    else if (!options->is_demo)
        yaml_error(yaml_get(map, "password"), diags, ERR_DENIED,
            "demo passwords are for a demo city; say `demo: true` in city.yaml, or take this out");
    ret->has_demo_password = true;
}

/* The names of all parties, so that a person's post can be looked up. */
static enum err read_party_names(struct yaml_node list, struct str_map *names)
{
    uint32_t number;
    enum err err = ERR_OK;
    for (size_t i = 0; i < yaml_n_items(list) && err == ERR_OK; i++)
        err = str_map_add(names, yaml_text(yaml_get(yaml_item(list, i), "name")), &number);
    return err;
}

static enum err read_people(struct party_people *people, const struct str_map *parties, struct yaml_node list, struct diag_list *diags)
{
    size_t n = yaml_is_none(list) ? 0 : yaml_n_items(list);
    if (n > PARTY_PEOPLE_MAX)
        return yaml_error(list, diags, ERR_FULL, "more than %d people", PARTY_PEOPLE_MAX);
    people->people = mem_alloc_zero(n + 1, sizeof(*people->people));
    if (!people->people)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        read_person(&people->options, parties, yaml_item(list, i), diags, &people->people[i]);
    people->n_people = n;
    if (n > 0)
        qsort(people->people, n, sizeof(*people->people), by_name);
    for (size_t i = 1; i < n; i++)
        if (str_equal(people->people[i - 1].name, people->people[i].name))
            yaml_error(list, diags, ERR_EXISTS, "person \"" STR_FORMAT "\" is there twice; give one of them another name",
                STR_ARG(people->people[i].name));
    return ERR_OK;
}

/* The token of a program from its file, made when it is not there. */
static enum err take_token(const struct party_options *options, struct str party, struct diag_list *diags, struct sha256 *ret_hash)
{
    char path[1024], token[TOKEN_HEX + 2] = "";
    struct str area, name;
    uint8_t random[TOKEN_HEX / 2];
    if (!str_cut(party, '/', &area, &name) || !str_is_name(area) || !str_is_name(name) ||
        snprintf(path, sizeof(path), "%s/" STR_FORMAT "_" STR_FORMAT, options->tokens_folder, STR_ARG(area), STR_ARG(name)) >=
            (int)sizeof(path))
        return diag_add(diags, ERR_SYNTAX, NULL, 0, "\"" STR_FORMAT "\" is no name of a party; write area/name", STR_ARG(party));
    crypto_random(random, sizeof(random));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        crypto_hex(random, sizeof(random), token);
        token[TOKEN_HEX] = '\n';
        bool is_written = write(fd, token, TOKEN_HEX + 1) == TOKEN_HEX + 1 && fsync(fd) == 0;
        close(fd);
        if (!is_written)
            return diag_add(diags, ERR_IO, path, 0, "the token could not be written: %s", strerror(errno));
    } else if (errno != EEXIST)
        return diag_add(diags, err_from_errno(errno), path, 0, "the token could not be made: %s", strerror(errno));
    else {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, token, TOKEN_HEX) : -1;
        if (fd >= 0)
            close(fd);
        if (n != TOKEN_HEX)
            return diag_add(diags, ERR_CORRUPT, path, 0, "no token of %d letters in it; delete the file, and a new one is made", TOKEN_HEX);
    }
    *ret_hash = crypto_sha256((struct str){token, TOKEN_HEX});
    crypto_wipe(token, sizeof(token));
    return ERR_OK;
}

/* What watches the machines needs a right of its own to see their figures; contracts are people's affair. */
static enum err read_program_roles(struct yaml_node map, struct diag_list *diags, unsigned *ret_roles)
{
    struct yaml_node list = yaml_get(map, "roles");
    if (yaml_is_none(list))
        return ERR_OK;
    if (yaml_kind(list) != YAML_LIST || yaml_n_items(list) != 1 || !str_equal_c(yaml_text(yaml_item(list, 0)), "operate") ||
        yaml_is_none(yaml_get(map, "token")))
        return yaml_error(
            list, diags, ERR_DENIED, "a program has no role but roles: [operate], and only with a token:; people manage and audit");
    *ret_roles = HTTP_OPERATE;
    return ERR_OK;
}

static enum err read_programs(struct party_people *people, struct yaml_node list, bool with_tokens, struct diag_list *diags)
{
    enum err err = ERR_OK;
    size_t n = yaml_is_none(list) ? 0 : yaml_n_items(list);
    people->programs = mem_alloc_zero(n + 1, sizeof(*people->programs));
    if (!people->programs)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n && err == ERR_OK; i++) {
        struct party_program *program = &people->programs[people->n_programs];
        struct yaml_node map = yaml_item(list, i);
        struct str token, tail;
        err = read_program_roles(map, diags, &program->roles);
        if (err != ERR_OK)
            break;
        if (yaml_get_str(map, "token", false, diags, &token) != ERR_OK)
            continue;
        bool is_file = str_equal_c(token, "file");
        if (!is_file && !str_equal_c(token, "demo"))
            err = yaml_error(yaml_get(map, "token"), diags, ERR_DENIED,
                "a token does not belong into a file; say `token: file`, and it is made in the data folder, {data}/tokens");
        else if (!is_file && !people->options.is_demo)
            err = yaml_error(yaml_get(map, "token"), diags, ERR_DENIED, "demo tokens are for a demo city, `demo: true`; say `token: file`");
        else if (yaml_get_str(map, "name", true, diags, &program->name) == ERR_OK) {
            if (!str_cut(program->name, '/', &program->area, &tail))
                program->area = program->name;
            if (with_tokens)
                err = take_token(&people->options, program->name, diags, &program->token);
            people->n_programs += err == ERR_OK;
        }
    }
    party_programs_sort(people);
    return err;
}

static enum err read_file(struct party_people *people, bool with_tokens, struct diag_list *diags)
{
    static const char *const keys[] = {"parties", "people", NULL};
    size_t n_before = diags->n + diags->n_dropped;
    enum err err = yaml_load_file(people->options.parties_path, diags, &people->yaml);
    if (err != ERR_OK)
        return err;
    struct yaml_node root = yaml_root(people->yaml);
    yaml_check_keys(root, keys, diags);
    uint64_t seed;
    struct str_map parties;
    crypto_random(&seed, sizeof(seed));
    str_map_init(&parties, PARTY_PEOPLE_MAX, seed);
    err = read_party_names(yaml_get(root, "parties"), &parties);
    if (err == ERR_OK)
        err = read_people(people, &parties, yaml_get(root, "people"), diags);
    str_map_finish(&parties);
    if (err == ERR_OK)
        err = read_programs(people, yaml_get(root, "parties"), with_tokens, diags);
    if (err == ERR_OK && diags->n + diags->n_dropped > n_before)
        err = ERR_SYNTAX;
    return err;
}

struct http_mount party_mount(struct party_people *people)
{
    return (struct http_mount){.routes = party_routes, .n_routes = party_n_routes, .context = people, .schemas = party_schemas};
}

void party_measure(struct party_people *people, struct metric_page *page)
{
    pthread_mutex_lock(&people->mutex);
    size_t n_sessions = people->n_sessions;
    pthread_mutex_unlock(&people->mutex);
    metric_put_queue(page, "party_sessions", STR("signed in"), n_sessions, PARTY_SESSIONS_MAX, NULL);
    metric_put_queue(
        page, "party_sign_ins", STR("waiting"), (uint64_t)atomic_load(&people->n_waiting), PARTY_SIGN_INS_WAITING, &people->n_refused);
    db_writer_measure(people->writer, page, STR("party"));
}

/* ---- life ---- */

static void set_title_default(struct party_options *options)
{
    if (str_is_empty(options->city_title_zh))
        options->city_title_zh = options->city;
    if (str_is_empty(options->city_title_en))
        options->city_title_en = options->city;
}

static enum err open_store(struct party_people *people, struct diag_list *diags)
{
    struct db *db = NULL;
    struct diag diag = {""};
    enum err err = db_open(people->options.store_path, &diag, &db);
    if (err == ERR_OK)
        err = db_migrate(db, party_migrations, party_n_migrations, &diag);
    if (err == ERR_OK)
        err = party_passwords_load(people, db, &diag);
    if (err == ERR_OK)
        err = party_sessions_load(people, db, &diag);
    if (err == ERR_OK && (err = db_writer_create(db, 4096, &people->writer)) == ERR_OK) {
        db_writer_on_failed_sync(people->writer, people->options.fatal, people->options.fatal_context, "party");
        return ERR_OK;
    }
    db_close(db);
    return diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : err_text(err));
}

enum err party_open(const struct party_options *options, struct diag_list *diags, struct party_people **ret_people)
{
    struct party_people *people = mem_alloc_zero(1, sizeof(*people));
    if (!people)
        return ERR_NO_MEMORY;
    people->options = *options;
    set_title_default(&people->options);
    pthread_mutex_init(&people->mutex, NULL);
    if (!options->are_tokens_told && mkdir(options->tokens_folder, 0700) != 0 && errno != EEXIST) {
        enum err err =
            diag_add(diags, err_from_errno(errno), options->tokens_folder, 0, "the folder could not be made: %s", strerror(errno));
        party_close(people);
        return err;
    }
    enum err err = read_file(people, !options->are_tokens_told, diags);
    if (err == ERR_OK)
        err = party_limit_create(&people->limit);
    if (err == ERR_OK)
        err = open_store(people, diags);
    if (err == ERR_OK)
        err = loop_thread_start(options->clock, "sign-in", &people->sign_in);
    if (err != ERR_OK) {
        party_close(people);
        return err;
    }
    party_make_demo_passwords(people);
    *ret_people = people;
    return ERR_OK;
}

enum err party_check(const struct party_options *options, struct diag_list *diags)
{
    struct party_people people = {.options = *options};
    enum err err = read_file(&people, false, diags);
    yaml_destroy(people.yaml);
    mem_free(people.people);
    mem_free(people.programs);
    mem_free(people.declared);
    return err;
}

static void nothing(void *context) {}

void party_close(struct party_people *people)
{
    if (!people)
        return;
    if (people->sign_in)
        loop_thread_call(people->sign_in, nothing, NULL); /* sign-ins on their way have asked the writer */
    db_writer_destroy(people->writer);
    if (people->sign_in)
        loop_thread_call(people->sign_in, nothing, NULL); /* and what it told has arrived */
    while (atomic_load(&people->n_waiting) > 0)           /* their replies run on the servers' loops */
        usleep(1000);
    loop_thread_stop(people->sign_in);
    yaml_destroy(people->yaml);
    for (size_t i = 0; i < people->n_people; i++)
        mem_free((char *)people->people[i].subject.ptr);
    mem_free(people->people);
    mem_free(people->programs);
    mem_free(people->declared);
    mem_free(people->sessions);
    party_limit_destroy(people->limit);
    pthread_mutex_destroy(&people->mutex);
    mem_free(people);
}
