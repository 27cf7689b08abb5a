/*
 * Networks in the plain form that netconvert writes, read in one pass: tags, attributes in double quotes, comments, blanks; no entity, no
 * instruction, no text, nothing unusual. Most of a program's start was a full XML parser on twenty megabytes of that.
 *
 * What is read here is well-formed XML that expat gives the same events of. Whatever is not plain, and every mistake, is not judged here:
 * the file is given up, and network_xml.c reads it again from its beginning and says what is wrong and where.
 */
#include "road/network_build.h"

#include <string.h>

#define ATTRIBUTES_MAX 24u
#define NAME_MAX_LEN 31u
#define REPEATED(byte_) ((uint64_t)(byte_)*0x0101010101010101u)

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_name_first(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
    return is_name_first(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':';
}

static char *skip_blanks(struct network_plain *plain, char *at)
{
    for (; is_blank(*at); at++)
        plain->line += *at == '\n';
    return at;
}

static char *skip_name(char *at)
{
    if (is_name_first(*at))
        do
            at++;
        while (is_name(*at));
    return at;
}

/* Bytes above ASCII: as expat takes them. */
static bool is_text(const char *text, size_t len)
{
    struct str str = {text, len};
    return str_is_utf8(str) && memmem(text, len, "\xef\xbf", 2) == NULL; /* U+FFFE and U+FFFF are none */
}

/* The high bit of each byte that ends a value, or may not stand in it: '"', '<', '&', control characters; or is not ASCII. The lowest one
 * that is found is right; those above may not be. */
static uint64_t find_special(uint64_t word)
{
    uint64_t quote = word ^ REPEATED('"'), less = word ^ REPEATED('<'), ampersand = word ^ REPEATED('&');
    uint64_t found = (quote - REPEATED(1)) | (less - REPEATED(1)) | (ampersand - REPEATED(1)) | (word - REPEATED(0x20)) | word;
    return found & REPEATED(0x80);
}

/* The quote that ends the value; NULL: not a plain one. Zeros stand behind the bytes. */
static char *end_of_value(char *value)
{
    bool is_ascii = true;
    for (char *at = value;;) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        size_t n = find_special(word) == 0 ? 8 : 0;
        for (; n < 8; n++) {
            unsigned char c = (unsigned char)at[n];
            if (c == '"')
                return is_ascii || is_text(value, (size_t)(at + n - value)) ? at + n : NULL;
            if (c < 0x20 || c == '<' || c == '&')
                return NULL;
            is_ascii &= c < 0x80;
        }
        at += 8;
    }
}

/* Two attributes of one name are a mistake. Nearly always a look at length and letters says that there are none. */
static bool is_new(const char **attributes, size_t n, const char *name, size_t len, uint64_t *seen)
{
    uint64_t bit = (uint64_t)1 << ((len * 7 + (unsigned char)name[0] * 5u + (unsigned char)name[len - 1]) % 64);
    bool is_seen = (*seen & bit) != 0;
    *seen |= bit;
    for (size_t i = 0; is_seen && i < n; i += 2)
        if (strcmp(attributes[i], name) == 0)
            return false;
    return true;
}

/* A tag that begins at `at`, all of it there: bytes behind names and values become zeros. NULL: not plain. */
static char *take_start(struct network_plain *plain, char *at)
{
    const char *attributes[ATTRIBUTES_MAX * 2 + 1];
    size_t n = 0;
    uint64_t seen = 0;
    int line = plain->line;
    char *tag = at + 1, *tag_end = skip_name(tag);
    size_t tag_len = (size_t)(tag_end - tag);
    if (tag_len == 0 || tag_len > NAME_MAX_LEN || (plain->depth == 0 && plain->is_over) || plain->depth == ROAD_XML_DEPTH_MAX)
        return NULL;
    for (at = tag_end; is_blank(*at);) {
        at = skip_blanks(plain, at);
        if (*at == '/' || *at == '>')
            break;
        char *name = at, *name_end = skip_name(at), *value = name_end + 2;
        if (name == name_end || name_end[0] != '=' || name_end[1] != '"' || n == ATTRIBUTES_MAX * 2)
            return NULL;
        char *end = end_of_value(value);
        if (end == NULL)
            return NULL;
        *name_end = *end = '\0';
        if (!is_new(attributes, n, name, (size_t)(name_end - name), &seen))
            return NULL;
        attributes[n++] = name;
        attributes[n++] = value;
        at = end + 1;
    }
    bool is_empty = *at == '/';
    at += is_empty;
    if (*at != '>')
        return NULL;
    *tag_end = '\0';
    attributes[n] = NULL;
    memcpy(plain->open[plain->depth], tag, tag_len + 1);
    plain->depth++;
    if (network_xml_start(plain->xml, line, tag, attributes) != ERR_OK || (is_empty && network_xml_end(plain->xml, tag) != ERR_OK))
        return NULL;
    plain->depth -= is_empty;
    plain->is_over = plain->depth == 0;
    return at + 1;
}

static char *take_end(struct network_plain *plain, char *at)
{
    char *tag = at + 2, *tag_end = skip_name(tag);
    size_t len = (size_t)(tag_end - tag);
    at = skip_blanks(plain, tag_end);
    if (plain->depth == 0 || *at != '>' || len != strlen(plain->open[plain->depth - 1]) ||
        memcmp(tag, plain->open[plain->depth - 1], len) != 0)
        return NULL;
    *tag_end = '\0';
    plain->depth--;
    plain->is_over = plain->depth == 0;
    return network_xml_end(plain->xml, tag) == ERR_OK ? at + 1 : NULL;
}

/* Ends with the first "--", which nothing but '>' may follow. */
static char *take_comment(struct network_plain *plain, char *at, const char *end)
{
    char *text = at + 4, *stop = memmem(text, (size_t)(end - text), "--", 2);
    if (stop == NULL || stop[2] != '>' || !is_text(text, (size_t)(stop - text)))
        return NULL;
    for (const char *c = text; c < stop; c++) {
        if ((unsigned char)*c < 0x20 && !is_blank(*c))
            return NULL;
        plain->line += *c == '\n';
    }
    return stop + 3;
}

static bool is_comment(const char *at, const char *end)
{
    return end - at >= 4 && memcmp(at, "<!--", 4) == 0;
}

/* Is what begins here all there? */
static bool is_whole(char *at, const char *end)
{
    size_t len = (size_t)(end - at);
    return len >= 4 && (is_comment(at, end) ? memmem(at, len, "-->", 3) : memchr(at, '>', len)) != NULL;
}

void network_plain_init(struct network_plain *plain, struct network_xml *xml)
{
    *plain = (struct network_plain){.xml = xml, .line = 1};
}

bool network_plain_feed(struct network_plain *plain, char *bytes, size_t len, bool is_last, size_t *ret_taken)
{
    static const char declaration[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    char *at = bytes, *const end = bytes + len;
    if (!plain->is_begun && len >= sizeof(declaration) && memcmp(at, declaration, sizeof(declaration) - 1) == 0)
        at += sizeof(declaration) - 1;
    plain->is_begun = true;
    while (at != NULL) {
        at = skip_blanks(plain, at);
        if (at >= end || (!is_last && !is_whole(at, end)))
            break;
        if (*at != '<' || !is_whole(at, end))
            return false;
        if (is_comment(at, end))
            at = take_comment(plain, at, end);
        else
            at = at[1] == '/' ? take_end(plain, at) : take_start(plain, at);
        if (at > end)
            return false;
    }
    if (at == NULL)
        return false;
    *ret_taken = (size_t)(at - bytes);
    return !is_last || (at == end && plain->is_over);
}
