/* GCJ-02; see gcj02.h. */
#include "road/gcj02.h"

#include <math.h>

#define KRASOVSKY_A 6378245.0
#define KRASOVSKY_E2 0.00669342162296594323
#define ROUNDS 5 /* each leaves about a thousandth of the error before it */

static bool is_outside(struct road_point p)
{
    return !(p.lon >= 72.004 && p.lon <= 137.8347 && p.lat >= 0.8293 && p.lat <= 55.8271);
}

static double waves(double at, double first, double second, double third, double fourth)
{
    return (20 * sin(at * M_PI) + 40 * sin(at / 3 * M_PI) + first * sin(at / second * M_PI) + third * sin(at / fourth * M_PI)) * 2 / 3;
}

struct road_point road_gcj02_of_wgs84(struct road_point p)
{
    if (is_outside(p))
        return p;
    double x = p.lon - 105, y = p.lat - 35;
    double both = 0.1 * x * y + (20 * sin(6 * x * M_PI) + 20 * sin(2 * x * M_PI)) * 2 / 3;
    double north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.2 * sqrt(fabs(x)) + both + waves(y, 160, 12, 320, 30);
    double east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * sqrt(fabs(x)) + both + waves(x, 150, 12, 300, 30);
    double s = sin(p.lat * M_PI / 180), w = 1 - KRASOVSKY_E2 * s * s;
    double lat = north * 180 / (KRASOVSKY_A * (1 - KRASOVSKY_E2) / (w * sqrt(w)) * M_PI);
    double lon = east * 180 / (KRASOVSKY_A / sqrt(w) * cos(p.lat * M_PI / 180) * M_PI);
    return (struct road_point){p.lon + lon, p.lat + lat};
}

struct road_point road_gcj02_to_wgs84(struct road_point gcj02)
{
    struct road_point guess = gcj02;
    if (is_outside(gcj02))
        return gcj02;
    for (int i = 0; i < ROUNDS; i++) {
        struct road_point there = road_gcj02_of_wgs84(guess);
        guess.lon += gcj02.lon - there.lon;
        guess.lat += gcj02.lat - there.lat;
    }
    return guess;
}
