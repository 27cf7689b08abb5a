/*
 * Programs and their bearer tokens. Where the tokens' files are, the table is made at the start and never changes. A replica of the hub
 * has no such files: the process with the desk tells it the hashes, again each time that it was started anew, so a token that is taken
 * away there is taken away everywhere. Tokens themselves never travel.
 */
#include "base/bytes.h"
#include "base/mem.h"
#include "business/party/people.h"

#include <stdlib.h>
#include <string.h>

static int by_token(const void *a, const void *b)
{
    return memcmp(((const struct party_program *)a)->token.bytes, ((const struct party_program *)b)->token.bytes, 32);
}

static int by_name(const void *a, const void *b)
{
    return str_compare(((const struct party_program *)a)->name, ((const struct party_program *)b)->name);
}

void party_programs_sort(struct party_people *people)
{
    bool are_told = people->options.are_tokens_told;
    if (people->n_programs > 0)
        qsort(people->programs, people->n_programs, sizeof(*people->programs), are_told ? by_name : by_token);
    if (!are_told)
        return;
    people->declared = people->programs;
    people->n_declared = people->n_programs;
    people->programs = NULL;
    people->n_programs = 0;
}

/* ---- who is it ---- */

static const struct party_program *find(const struct party_people *people, struct str token)
{
    /* Looked up by hash: how far a comparison went tells nothing about the token. */
    const struct party_program wanted = {.token = crypto_sha256(token)};
    return people->n_programs && token.len == PARTY_TOKEN_HEX
               ? bsearch(&wanted, people->programs, people->n_programs, sizeof(wanted), by_token)
               : NULL;
}

enum err party_token(void *context, struct str token, struct http_identity *ret_identity)
{
    struct party_people *people = context;
    bool are_told = people->options.are_tokens_told;
    if (!party_programs_are_known(people))
        return ERR_UNAVAILABLE;
    if (are_told)
        pthread_mutex_lock(&people->mutex);
    const struct party_program *found = find(people, token);
    if (found) /* the texts are parties.yaml's */
        *ret_identity = (struct http_identity){.party = found->name, .area = found->area, .acts_for = found->name, .roles = found->roles};
    if (are_told)
        pthread_mutex_unlock(&people->mutex);
    return found ? ERR_OK : ERR_UNAUTHENTICATED;
}

bool party_programs_are_known(const struct party_people *people)
{
    return !people->options.are_tokens_told || atomic_load(&people->is_told);
}

/* ---- from process to process ---- */

void party_programs_write(const struct party_people *people, struct buf *out)
{
    buf_append_be(out, people->n_programs, 4);
    for (size_t i = 0; i < people->n_programs; i++) {
        buf_append(out, people->programs[i].token.bytes, sizeof(people->programs[i].token.bytes));
        buf_append_be(out, people->programs[i].name.len, 4);
        buf_append_str(out, people->programs[i].name);
    }
}

static enum err read_one(const struct party_people *people, struct bytes_reader *reader, struct party_program *told, size_t *n)
{
    struct str hash = bytes_read_str(reader, sizeof(told->token.bytes));
    const struct party_program wanted = {.name = bytes_read_str(reader, bytes_read_u32be(reader))};
    if (reader->err)
        return reader->err;
    const struct party_program *declared =
        people->n_declared ? bsearch(&wanted, people->declared, people->n_declared, sizeof(wanted), by_name) : NULL;
    if (!declared)
        return ERR_OK;
    if (*n == people->n_declared)
        return ERR_SYNTAX; /* somebody is there twice */
    told[*n] = *declared;
    memcpy(told[*n].token.bytes, hash.ptr, hash.len);
    ++*n;
    return ERR_OK;
}

enum err party_programs_read(struct party_people *people, struct str bytes)
{
    struct bytes_reader reader;
    struct party_program *told = mem_alloc_zero(people->n_declared + 1, sizeof(*told)), *before;
    size_t n = 0;
    if (!told)
        return ERR_NO_MEMORY;
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    uint32_t n_told = bytes_read_u32be(&reader);
    enum err err = reader.err;
    for (uint32_t i = 0; i < n_told && err == ERR_OK; i++)
        err = read_one(people, &reader, told, &n);
    if (err == ERR_OK && bytes_reader_left(&reader) != 0)
        err = ERR_SYNTAX;
    if (err != ERR_OK) {
        mem_free(told);
        return err;
    }
    if (n > 0)
        qsort(told, n, sizeof(*told), by_token);
    pthread_mutex_lock(&people->mutex);
    before = people->programs;
    people->programs = told;
    people->n_programs = n;
    pthread_mutex_unlock(&people->mutex);
    atomic_store(&people->is_told, true);
    mem_free(before);
    return ERR_OK;
}
