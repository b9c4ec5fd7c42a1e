/* Floats of 16 bits, which C has no type for. */
#include "struct/bits.h"

#include <math.h>

double bits_half_to_double(uint16_t half) {
    int exponent = half >> 10 & 0x1f;
    double mantissa = half & 0x3ff;
    double size;
    if (exponent == 0x1f)
        size = mantissa != 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        size = ldexp(mantissa, -24);
    else
        size = ldexp(mantissa + 1024, exponent - 25);
    return half & 0x8000 ? -size : size;
}

uint16_t bits_half_of_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    uint16_t sign = (uint16_t)(bits >> 48 & 0x8000);
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    uint64_t mantissa = bits & (((uint64_t)1 << 52) - 1);
    if (exponent == 1024) /* infinity or nan */
        return (uint16_t)(sign | 0x7c00 | (mantissa ? 0x200 : 0));
    if (exponent > 15)
        return (uint16_t)(sign | 0x7c00);
    if (exponent < -25) /* below half of the smallest */
        return sign;
    int shift = 42;
    uint64_t result = (uint64_t)(exponent + 14) << 10;
    if (exponent < -14) { /* subnormal: counts of 2^-24 */
        shift += -14 - exponent;
        result = 0;
    }
    mantissa |= (uint64_t)1 << 52; /* carries into the exponent of normal numbers, hence 14 and not 15 above */
    result += mantissa >> shift;
    uint64_t rest = mantissa & (((uint64_t)1 << shift) - 1);
    uint64_t tie = (uint64_t)1 << (shift - 1);
    if (rest > tie || (rest == tie && (result & 1)))
        result++;
    return (uint16_t)(sign | result);
}
