/* Numbers as bits, and bits as bytes in either order. */
#ifndef TYPEDSHM_BITS_H
#define TYPEDSHM_BITS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t bits_swap16(uint16_t n) {
    return (uint16_t)(n << 8 | n >> 8);
}

static inline uint32_t bits_swap32(uint32_t n) {
    return (uint32_t)bits_swap16((uint16_t)n) << 16 | bits_swap16((uint16_t)(n >> 16));
}

static inline uint64_t bits_swap64(uint64_t n) {
    return (uint64_t)bits_swap32((uint32_t)n) << 32 | bits_swap32((uint32_t)(n >> 32));
}

/* The number of `width` bytes, 1, 2, 4 or 8. */
static inline uint64_t bits_at(const char *from, ptrdiff_t width, bool swapped) {
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (width) {
    case 1:
        return (uint8_t)*from;
    case 2:
        memcpy(&two, from, 2);
        return swapped ? bits_swap16(two) : two;
    case 4:
        memcpy(&four, from, 4);
        return swapped ? bits_swap32(four) : four;
    default:
        memcpy(&eight, from, 8);
        return swapped ? bits_swap64(eight) : eight;
    }
}

static inline void bits_put(char *to, ptrdiff_t width, bool swapped, uint64_t bits) {
    uint16_t two = (uint16_t)bits;
    uint32_t four = (uint32_t)bits;
    switch (width) {
    case 1:
        *to = (char)(uint8_t)bits;
        break;
    case 2:
        two = swapped ? bits_swap16(two) : two;
        memcpy(to, &two, 2);
        break;
    case 4:
        four = swapped ? bits_swap32(four) : four;
        memcpy(to, &four, 4);
        break;
    default:
        bits = swapped ? bits_swap64(bits) : bits;
        memcpy(to, &bits, 8);
    }
}

static inline int64_t bits_sign_extended(uint64_t bits, ptrdiff_t width) {
    uint64_t sign = (uint64_t)1 << (8 * width - 1);
    uint64_t low = bits & (sign | (sign - 1));
    return (int64_t)((low ^ sign) - sign);
}

double bits_half_to_double(uint16_t half);
/* To the nearest, ties to even, in one step: a detour over float would round twice. Too large gives infinity. */
uint16_t bits_half_of_double(double value);

/* The float of `width` bytes, 2, 4 or 8. */
static inline double bits_to_real(uint64_t bits, ptrdiff_t width) {
    uint32_t low = (uint32_t)bits;
    float single;
    double value;
    switch (width) {
    case 2:
        return bits_half_to_double((uint16_t)bits);
    case 4:
        memcpy(&single, &low, 4);
        return single;
    default:
        memcpy(&value, &bits, 8);
        return value;
    }
}

/* False if a finite number became infinite. */
static inline bool bits_of_real(double value, ptrdiff_t width, uint64_t *bits) {
    uint32_t low;
    float single;
    switch (width) {
    case 2:
        *bits = bits_half_of_double(value);
        return (*bits & 0x7fff) != 0x7c00 || isinf(value);
    case 4:
        single = (float)value;
        memcpy(&low, &single, 4);
        *bits = low;
        return !isinf(single) || isinf(value);
    default:
        memcpy(bits, &value, 8);
        return true;
    }
}

#endif
