/* One line of `citybrain decide --stdio`: whatever comes, one answer of one of the three forms. */
#include "base/buf.h"
#include "hub/decide.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf answer;
    buf_init(&answer, 4096);
    decide_line((struct str){(const char *)data, size}, &answer);
    struct str text = buf_str(&answer);
    if (answer.err || !(str_starts_with(text, STR("{\"permit\":")) || str_starts_with(text, STR("{\"error\":\""))) ||
        text.ptr[text.len - 1] != '}')
        abort();
    buf_finish(&answer);
    return 0;
}
