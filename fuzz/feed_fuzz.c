/*
 * What processes of a hub tell each other through the desk, over hostile bytes, by their first letter: q a question to the desk, l what a
 * lease is answered, p which programs there are. An accepted question is written back as the same bytes; of programs those alone are
 * known that were declared, each in its place in the order of the tokens' hashes, or what was known stays.
 */
#include "base/mem.h"
#include "business/party/people.h"
#include "hub/feed.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void question(struct str input)
{
    struct buf again;
    struct hub_feed_question asked;
    buf_init(&again, input.len + 1024);
    if (!hub_feed_question_read(input, &asked)) {
        hub_feed_question_write(&asked, &again);
        assert(!again.err && str_equal(buf_str(&again), input));
    }
    buf_finish(&again);
}

static void programs(struct str input)
{
    struct party_program declared[] = {{.name = STR_INIT("h/monitor"), .area = STR_INIT("h"), .roles = HTTP_OPERATE},
        {.name = STR_INIT("h/world"), .area = STR_INIT("h")}};
    struct party_people people = {.options.are_tokens_told = true, .declared = declared, .n_declared = 2};
    struct http_identity identity;
    pthread_mutex_init(&people.mutex, NULL);
    if (!party_programs_read(&people, input)) {
        assert(people.n_programs <= 2 && party_programs_are_known(&people));
        for (size_t i = 0; i < people.n_programs; i++)
            assert(str_equal(people.programs[i].area, declared[0].area));
        if (people.n_programs == 2)
            assert(memcmp(people.programs[0].token.bytes, people.programs[1].token.bytes, 32) <= 0);
    } else
        assert(!people.programs && party_token(&people, STR("token"), &identity) == ERR_UNAVAILABLE);
    mem_free(people.programs);
    pthread_mutex_destroy(&people.mutex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data + 1, size ? size - 1 : 0};
    uint32_t granted;
    if (size == 0)
        return 0;
    if (data[0] == 'q')
        question(input);
    else if (data[0] == 'p')
        programs(input);
    else if (!hub_feed_lease_read(input, &granted))
        assert(input.len == 6);
    return 0;
}
