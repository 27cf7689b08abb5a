/* JSON from outside: what is read must be written canonically, and read again as the same. */
#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diag diag = {""};
    struct buf first, second;
    json_t *json = NULL, *back = NULL;

    if (json_read((struct str){(const char *)data, size}, &diag, &json)) {
        if (!diag.text[0])
            abort();
        return 0;
    }
    buf_init(&first, 64u << 20);
    buf_init(&second, 64u << 20);
    /* What is canonical stays as it is; integers and numbers that jansson cannot hold apart are left out. */
    if (!json_write_canonical(json, &first) && !json_read(buf_str(&first), NULL, &back)) {
        enum err err = json_write_canonical(back, &second);
        if (err != ERR_UNSUPPORTED && (err || !str_equal(buf_str(&first), buf_str(&second))))
            abort();
        json_decref(back);
    }
    buf_finish(&first);
    buf_finish(&second);
    json_decref(json);
    return 0;
}
