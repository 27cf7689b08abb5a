/* `citybrain password CITY NAME`: sets a person's password, read from standard input. The brain of that data folder must not run. */
#include "base/mem.h"
#include "brain/city.h"
#include "brain/commands.h"
#include "brain/files.h"
#include "business/party/party.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 1024

static const struct command_option options[] = {
    {"data", "DIR", "where the city keeps what it learns (default var/CITY)"}, {NULL, NULL, NULL}};

/* One line of standard input; a terminal does not show it. */
static bool read_password(char out[PASSWORD_MAX])
{
    struct termios old;
    bool is_terminal = tcgetattr(STDIN_FILENO, &old) == 0;
    if (is_terminal) {
        struct termios silent = old;
        silent.c_lflag &= (tcflag_t)~ECHO;
        tcsetattr(STDIN_FILENO, TCSANOW, &silent);
        fprintf(stderr, "new password: ");
    }
    bool is_read = fgets(out, PASSWORD_MAX, stdin) != NULL;
    if (is_terminal) {
        tcsetattr(STDIN_FILENO, TCSANOW, &old);
        fprintf(stderr, "\n");
    }
    if (is_read)
        out[strcspn(out, "\r\n")] = '\0';
    return is_read;
}

static enum err set_password(const struct city *city, const char *name, struct diag_list *diags)
{
    char parties[CITY_PATH_MAX], areas_path[CITY_PATH_MAX], store[CITY_PATH_MAX], folder[CITY_PATH_MAX], tokens[CITY_PATH_MAX],
        password[PASSWORD_MAX];
    struct area_tree *areas = NULL;
    struct party_people *people = NULL;
    struct diag diag = {""};
    enum err err = city_path(city->dir, "parties.yaml", parties);
    if (err != ERR_OK || (err = city_path(city->dir, "areas.yaml", areas_path)) != ERR_OK ||
        (err = city_path(city->data_dir, "store", folder)) != ERR_OK ||
        (err = city_path(city->data_dir, "store/party.sqlite", store)) != ERR_OK ||
        (err = city_path(city->data_dir, "tokens", tokens)) != ERR_OK)
        return err;
    if ((err = files_make_folder(folder, &diag)) != ERR_OK)
        return diag_add(diags, err, NULL, 0, "%s", diag.text);
    if ((err = area_tree_load(areas_path, diags, &areas)) != ERR_OK)
        return err;
    struct party_options party_options = {.parties_path = parties,
        .store_path = store,
        .tokens_folder = tokens,
        .is_demo = city->is_demo,
        .city = city->name,
        .zone_name = city->zone_name,
        .areas = areas,
        .clock = clock_system()};
    err = party_open(&party_options, diags, &people);
    if (err == ERR_OK && !read_password(password))
        err = diag_add(diags, ERR_IO, NULL, 0, "no password came in; write it to standard input, one line");
    if (err == ERR_OK && (err = party_set_password(people, str_from_c(name), str_from_c(password), &diag)) != ERR_OK)
        diag_add(diags, err, NULL, 0, "%s", diag.text);
    explicit_bzero(password, sizeof(password));
    party_close(people);
    area_tree_destroy(areas);
    return err;
}

static int run_password(const struct command_line *line)
{
    struct city city;
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!diags)
        return 2;
    enum err err = city_load(line->words[0], line->values[0], diags, &city);
    if (err == ERR_OK) {
        err = set_password(&city, line->words[1], diags);
        city_finish(&city);
    }
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain password: %s\n", diags->diags[i].text);
    mem_free(diags);
    return err == ERR_OK ? 0 : 2;
}

const struct command command_password = {
    "password", "CITY NAME", "sets a person's password, read from standard input", options, 2, 2, run_password};
