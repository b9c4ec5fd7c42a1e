#include "checksum.h"

enum { BLOCK = 64 };

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <wmmintrin.h>

static bool able(void) {
    unsigned int a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_PCLMUL);
}

/* Makes one block of many (Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel 2009):
 * what stands 64 bytes further ahead is multiplied by x^512 modulo CRC-32's polynomial, and added. */
static __attribute__((target("sse2,pclmul"))) void fold(const uint8_t *data, size_t size, uint32_t state,
                                                        uint8_t folded[BLOCK]) {
    const __m128i powers = _mm_set_epi64x(0x1c6e41596, 0x154442bd4); /* x^(512-32) and x^(512+32), bits reversed */
    __m128i lanes[4];
    memcpy(lanes, data, BLOCK);
    lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128((int)state));
    for (size_t at = BLOCK; at < size; at += BLOCK)
        for (int i = 0; i < 4; i++) {
            __m128i low = _mm_clmulepi64_si128(lanes[i], powers, 0x00);
            __m128i high = _mm_clmulepi64_si128(lanes[i], powers, 0x11);
            __m128i next = _mm_loadu_si128((const __m128i *)(const void *)(data + at + 16 * i));
            lanes[i] = _mm_xor_si128(_mm_xor_si128(low, high), next);
        }
    memcpy(folded, lanes, BLOCK);
}
#else
static bool able(void) {
    return false;
}

static void fold(const uint8_t *data, size_t size, uint32_t state, uint8_t folded[BLOCK]) {
    (void)data, (void)size, (void)state, (void)folded;
}
#endif

static PyObject *folded_block(PyObject *module, PyObject *args) {
    (void)module;
    Py_buffer data;
    unsigned int before;
    if (!PyArg_ParseTuple(args, "y*I:crc32_folded", &data, &before))
        return NULL;
    PyObject *result = NULL;
    uint8_t folded[BLOCK];
    if (data.len < BLOCK || data.len % BLOCK != 0)
        PyErr_Format(PyExc_ValueError, "expected a multiple of 64 bytes, found %zd", data.len);
    else if (!able())
        result = Py_NewRef(Py_None);
    else {
        Py_BEGIN_ALLOW_THREADS;
        fold(data.buf, (size_t)data.len, ~before, folded);
        Py_END_ALLOW_THREADS;
        result = PyBytes_FromStringAndSize((const char *)folded, BLOCK);
    }
    PyBuffer_Release(&data);
    return result;
}

static PyMethodDef functions[] = {
    {"crc32_folded", folded_block, METH_VARARGS,
     "64 bytes that have the CRC-32 of many when they continue from 0xFFFFFFFF; None if this processor cannot do it."},
    {NULL, NULL, 0, NULL},
};

int checksum_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
