/*
 * Server-sent events of a hub as the shell's subscription reads them, over hostile bytes: cut anywhere they mean the same, and whatever is
 * printed is lines of JSON that each name a receipt. The first byte says where they are cut.
 */
#include "base/json.h"
#include "hub/cli_subscribe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err take(struct str input, size_t cut, char **ret_printed, size_t *ret_len)
{
    struct hub_cli_events events;
    FILE *out = open_memstream(ret_printed, ret_len);
    assert(out);
    hub_cli_events_init(&events, out, 3);
    enum err err = hub_cli_events_take(&events, str_slice(input, 0, cut));
    if (!err)
        err = hub_cli_events_take(&events, str_slice(input, cut, input.len));
    hub_cli_events_finish(&events);
    assert(fclose(out) == 0);
    return err;
}

static void look(struct str printed)
{
    struct str line, rest, receipt;
    for (size_t n = 0; printed.len > 0; n++, printed = rest) {
        json_t *json;
        bool is_whole = str_cut(printed, '\n', &line, &rest);
        enum err err = json_read(line, NULL, &json);
        assert(is_whole && n < 3 && !err);
        err = json_get_str(json, "receipt", &receipt);
        assert(!err && receipt.len > 0 && json_is_object(json_object_get(json, "row")));
        json_decref(json);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *whole = NULL, *parts = NULL;
    size_t n_whole = 0, n_parts = 0;
    if (size < 1)
        return 0;
    struct str input = {(const char *)data + 1, size - 1};
    enum err err = take(input, 0, &whole, &n_whole), again = take(input, data[0] % size, &parts, &n_parts);
    assert(err == again && n_whole == n_parts && memcmp(whole, parts, n_whole) == 0);
    look((struct str){whole, n_whole});
    free(whole);
    free(parts);
    return 0;
}
