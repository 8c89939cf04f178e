// What CUDA's compiler knows by itself, for g++; put before the source of every kernel.
#pragma once
#include <algorithm>
#include <cmath>
#include <stddef.h>
#include <stdint.h>
#include <cstring>
#include <initializer_list>
#include <tuple>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)
#define __shared__ static  // blocks run one after the other, so one copy is enough

struct Place { unsigned x, y, z; };
extern "C" {
extern Place threadIdx, blockIdx, blockDim, gridDim;
void card_syncthreads(void);
}
#define __syncthreads() card_syncthreads()

using std::abs; using std::ceil; using std::exp; using std::floor; using std::fma; using std::fmod;
using std::isfinite; using std::isinf; using std::isnan; using std::log; using std::max;
using std::min; using std::pow; using std::signbit; using std::sqrt; using std::tanh;

template <class To, class From> static inline To same_bits(From value)
{
    static_assert(sizeof(To) == sizeof(From));
    To result;
    std::memcpy(&result, &value, sizeof result);
    return result;
}
static inline float __int_as_float(int v) { return same_bits<float>(v); }
static inline int __float_as_int(float v) { return same_bits<int>(v); }
static inline double __longlong_as_double(long long v) { return same_bits<double>(v); }
static inline long long __double_as_longlong(double v) { return same_bits<long long>(v); }
static inline int __popc(unsigned v) { return __builtin_popcount(v); }
static inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
static inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
static inline double rsqrt(double x) { return 1 / std::sqrt(x); }
// threads run one after the other, so nothing can come between
template <class T> static inline T atomicAdd(T *p, T v) { T old = *p; *p += v; return old; }
template <class T> static inline T atomicCAS(T *p, T if_, T v)
{
    T old = *p;
    if (old == if_) *p = v;
    return old;
}

// A launch hands over an array of pointers to the arguments.
template <class... A, std::size_t... I>
static inline void call(void (*kernel)(A...), void **p, std::index_sequence<I...>)
{
    kernel(*static_cast<std::remove_reference_t<A> *>(p[I])...);
}
#define CALLED_AS(kernel, does_meet)                                                      \
    extern "C" int kernel##_meets = does_meet;                                            \
    template <class... A> static inline void kernel##_with(void (*f)(A...), void **p)     \
    {                                                                                     \
        call(f, p, std::index_sequence_for<A...>{});                                      \
    }                                                                                     \
    extern "C" void kernel##_call(void **p) { kernel##_with(kernel, p); }
