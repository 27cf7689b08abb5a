/* Draws from the usual distributions; see random.h. */
#include "scene/census/random.h"

#define NORMAL_FROM 1000.0
#define AT_ONCE 16.0 /* mean of a Poisson that is counted out one by one */

double census_random_gamma(struct census_random *random, double shape)
{
    double boost = 1;
    if (shape < 1) {
        boost = pow(1 - census_random_unit(random), 1 / shape);
        shape += 1;
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = census_random_normal(random), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(1 - census_random_unit(random)) < 0.5 * x * x + d - d * v + d * log(v))
            return boost * d * v;
    }
}

double census_random_beta(struct census_random *random, double one, double other)
{
    double x = census_random_gamma(random, one), y = census_random_gamma(random, other);
    return x / (x + y);
}

double census_random_poisson(struct census_random *random, double mean)
{
    if (mean >= NORMAL_FROM)
        return floor(mean + sqrt(mean) * census_random_normal(random) + 0.5);
    double sum = 0;
    for (; mean > 0; mean -= AT_ONCE) {
        double left = exp(-fmin(mean, AT_ONCE));
        for (double product = 1 - census_random_unit(random); product > left; product *= 1 - census_random_unit(random))
            sum++;
    }
    return sum;
}
