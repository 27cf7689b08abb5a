/*
 * Doubles as the shortest decimal that reads back, in ECMAScript's layout.
 *
 * Most numbers of a city are whole or have a few decimals: those take a path of a few divisions. The rest asks printf for 15, 16 and 17
 * digits in turn and reads each back: exact, since glibc rounds correctly both ways, and independent of the locale's decimal point,
 * because only digits and exponent are taken from printf's text.
 */
#include "base/json_number.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 17

struct decimal {
    char digits[DIGITS_MAX + 1]; /* no trailing zeros; first one not 0 */
    int n;
    int point; /* value = 0.digits × 10^point */
};

static size_t format_u64(uint64_t i, char *out)
{
    char reversed[20];
    size_t n = 0;

    do {
        reversed[n++] = (char)('0' + i % 10);
        i /= 10;
    } while (i);
    for (size_t at = 0; at < n; at++)
        out[at] = reversed[n - 1 - at];
    return n;
}

/* `r` > 0 with at most six decimals and fifteen digits. The division i / 10^k is correctly rounded, as reading "i e-k" would be, so
 * equality proves that the text reads back; up to fifteen digits no shorter text does. */
static size_t format_short(double r, char *out)
{
    static const double power[] = {1, 10, 100, 1000, 10000, 100000, 1000000};

    for (size_t k = 0; k < sizeof(power) / sizeof(power[0]); k++) {
        double scaled = nearbyint(r * power[k]);
        if (scaled >= 1e15)
            return 0;
        if (scaled / power[k] != r)
            continue;
        uint64_t i = (uint64_t)scaled;
        uint64_t whole = i / (uint64_t)power[k], part = i % (uint64_t)power[k];
        size_t n = format_u64(whole, out);
        if (k > 0) {
            out[n++] = '.';
            for (size_t at = k; at-- > 0; part /= 10)
                out[n + at] = (char)('0' + part % 10);
            n += k;
        }
        return n;
    }
    return 0;
}

static void decimal_trim(struct decimal *decimal)
{
    while (decimal->n > 1 && decimal->digits[decimal->n - 1] == '0')
        decimal->n--;
    decimal->digits[decimal->n] = '\0';
}

/* `r` rounded to `n` digits. */
static struct decimal decimal_round(double r, int n)
{
    struct decimal decimal = {.n = n};
    char text[64];
    char *exponent;

    snprintf(text, sizeof(text), "%.*e", n - 1, r);
    exponent = strchr(text, 'e');
    assert(exponent);
    decimal.point = (int)strtol(exponent + 1, NULL, 10) + 1;
    decimal.digits[0] = text[0];
    if (n > 1)
        memcpy(decimal.digits + 1, exponent - (n - 1), (size_t)n - 1);
    decimal.digits[n] = '\0';
    return decimal;
}

static double decimal_read(const struct decimal *decimal)
{
    char text[64];

    snprintf(text, sizeof(text), "%se%d", decimal->digits, decimal->point - decimal->n);
    return strtod(text, NULL);
}

/* The next decimal of as many digits. */
static void decimal_increment(struct decimal *decimal)
{
    int at = decimal->n - 1;

    while (at >= 0 && decimal->digits[at] == '9')
        decimal->digits[at--] = '0';
    if (at >= 0) {
        decimal->digits[at]++;
    } else {
        decimal->digits[0] = '1';
        decimal->point++;
    }
}

/* Fewer than 15 digits only help below the normal range; there every length is tried. At a power of two the gap above is twice the gap
 * below, so the nearest decimal may read as the neighbour below while the next one reads back: it is tried as well. */
static struct decimal decimal_shortest(double r)
{
    bool subnormal = r < 2.2250738585072014e-308;
    int exponent;
    bool power_of_two = frexp(r, &exponent) == 0.5;

    for (int n = subnormal ? 1 : 15; n < DIGITS_MAX; n++) {
        struct decimal decimal = decimal_round(r, n);
        if (decimal_read(&decimal) != r && power_of_two)
            decimal_increment(&decimal);
        if (decimal_read(&decimal) == r) {
            decimal_trim(&decimal);
            return decimal;
        }
    }
    struct decimal decimal = decimal_round(r, DIGITS_MAX);
    decimal_trim(&decimal);
    return decimal;
}

/* ECMA-262, Number::toString, steps 6 to 11. */
static size_t decimal_layout(const struct decimal *decimal, char *out)
{
    int n = decimal->n, point = decimal->point;
    size_t len = 0;

    if (n <= point && point <= 21) {
        memcpy(out, decimal->digits, (size_t)n);
        memset(out + n, '0', (size_t)(point - n));
        return (size_t)point;
    }
    if (0 < point && point <= 21) {
        memcpy(out, decimal->digits, (size_t)point);
        out[point] = '.';
        memcpy(out + point + 1, decimal->digits + point, (size_t)(n - point));
        return (size_t)n + 1;
    }
    if (-6 < point && point <= 0) {
        memcpy(out, "0.", 2);
        memset(out + 2, '0', (size_t)-point);
        memcpy(out + 2 - point, decimal->digits, (size_t)n);
        return (size_t)(2 - point + n);
    }
    out[len++] = decimal->digits[0];
    if (n > 1) {
        out[len++] = '.';
        memcpy(out + len, decimal->digits + 1, (size_t)n - 1);
        len += (size_t)n - 1;
    }
    out[len++] = 'e';
    out[len++] = point > 0 ? '+' : '-';
    return len + format_u64((uint64_t)abs(point - 1), out + len);
}

size_t json_number_format(double r, char out[JSON_NUMBER_MAX])
{
    size_t sign = 0, n;

    assert(isfinite(r));
    if (r == 0) { /* -0 is written 0 */
        memcpy(out, "0", 2);
        return 1;
    }
    if (r < 0) {
        out[sign++] = '-';
        r = -r;
    }
    n = r >= 1e-6 && r < 1e15 ? format_short(r, out + sign) : 0;
    if (n == 0) {
        struct decimal decimal = decimal_shortest(r);
        n = decimal_layout(&decimal, out + sign);
    }
    out[sign + n] = '\0';
    return sign + n;
}
