/* The products of cuBLAS that CuPy and minirnn call, in plain C. Matrices are column by column, as
   cuBLAS has them: C [m, n] = alpha op(A) op(B) + beta C. As of the real one, C is not read where
   beta is 0. What is not here answers CUBLAS_STATUS_NOT_SUPPORTED (stubs that card.py writes). */

#include <stddef.h>
#include <stdlib.h>

int card_product(void);  /* count one; is anything computed? */

enum { FLOAT = 0, DOUBLE = 1, NOT_SUPPORTED = 15 };

#define DEFINE_GEMM(T, name)                                                                     \
    static void name(int ta, int tb, int m, int n, int k, T alpha, const T *A, int lda,          \
                     const T *B, int ldb, T beta, T *C, int ldc)                                 \
    {                                                                                            \
        for (int j = 0; j < n; j++)                                                              \
            for (int i = 0; i < m; i++) {                                                        \
                T sum = 0;                                                                       \
                for (int l = 0; l < k; l++)                                                      \
                    sum += (ta ? A[l + (size_t)i * lda] : A[i + (size_t)l * lda])                \
                           * (tb ? B[j + (size_t)l * ldb] : B[l + (size_t)j * ldb]);             \
                T *c = &C[i + (size_t)j * ldc];                                                  \
                *c = beta == 0 ? alpha * sum : alpha * sum + beta * *c;                          \
            }                                                                                    \
    }
DEFINE_GEMM(float, gemm_float)
DEFINE_GEMM(double, gemm_double)

#define DEFINE_CALLS(T, name, gemm)                                                              \
    int cublas##name##gemm_v2(void *h, int ta, int tb, int m, int n, int k, const T *alpha,      \
                              const T *A, int lda, const T *B, int ldb, const T *beta, T *C,     \
                              int ldc)                                                           \
    {                                                                                            \
        if (card_product()) gemm(ta, tb, m, n, k, *alpha, A, lda, B, ldb, *beta, C, ldc);        \
        return 0;                                                                                \
    }                                                                                            \
    int cublas##name##gemmBatched(void *h, int ta, int tb, int m, int n, int k, const T *alpha,  \
                                  const T *const *A, int lda, const T *const *B, int ldb,        \
                                  const T *beta, T *const *C, int ldc, int batch)                \
    {                                                                                            \
        if (card_product())                                                                      \
            for (int b = 0; b < batch; b++)                                                      \
                gemm(ta, tb, m, n, k, *alpha, A[b], lda, B[b], ldb, *beta, C[b], ldc);           \
        return 0;                                                                                \
    }                                                                                            \
    int cublas##name##gemmStridedBatched(void *h, int ta, int tb, int m, int n, int k,           \
                                         const T *alpha, const T *A, int lda, long long sA,      \
                                         const T *B, int ldb, long long sB, const T *beta, T *C, \
                                         int ldc, long long sC, int batch)                       \
    {                                                                                            \
        if (card_product())                                                                      \
            for (int b = 0; b < batch; b++)                                                      \
                gemm(ta, tb, m, n, k, *alpha, A + b * sA, lda, B + b * sB, ldb, *beta,           \
                     C + b * sC, ldc);                                                           \
        return 0;                                                                                \
    }
DEFINE_CALLS(float, S, gemm_float)
DEFINE_CALLS(double, D, gemm_double)

int cublasGemmStridedBatchedEx(void *h, int ta, int tb, int m, int n, int k, const void *alpha,
                               const void *A, int type_A, int lda, long long sA, const void *B,
                               int type_B, int ldb, long long sB, const void *beta, void *C,
                               int type_C, int ldc, long long sC, int batch, int compute, int how)
{
    if (type_A == FLOAT && type_B == FLOAT && type_C == FLOAT)
        return cublasSgemmStridedBatched(h, ta, tb, m, n, k, alpha, A, lda, sA, B, ldb, sB, beta, C,
                                         ldc, sC, batch);
    if (type_A == DOUBLE && type_B == DOUBLE && type_C == DOUBLE)
        return cublasDgemmStridedBatched(h, ta, tb, m, n, k, alpha, A, lda, sA, B, ldb, sB, beta, C,
                                         ldc, sC, batch);
    return NOT_SUPPORTED;
}
int cublasGemmEx(void *h, int ta, int tb, int m, int n, int k, const void *alpha, const void *A,
                 int type_A, int lda, const void *B, int type_B, int ldb, const void *beta, void *C,
                 int type_C, int ldc, int compute, int how)
{
    return cublasGemmStridedBatchedEx(h, ta, tb, m, n, k, alpha, A, type_A, lda, 0, B, type_B, ldb,
                                      0, beta, C, type_C, ldc, 0, 1, compute, how);
}

/* The handle: its numbers are always those of the host, its sums always in full. */

int cublasCreate_v2(void **h) { *h = malloc(1); return 0; }
int cublasDestroy_v2(void *h) { free(h); return 0; }
int cublasGetVersion_v2(void *h, int *version) { *version = 130000; return 0; }
int cublasSetStream_v2(void *h, void *stream) { return 0; }
int cublasGetPointerMode_v2(void *h, int *mode) { *mode = 0; return 0; }
int cublasSetPointerMode_v2(void *h, int mode) { return mode ? NOT_SUPPORTED : 0; }
int cublasGetMathMode(void *h, int *mode) { *mode = 0; return 0; }
int cublasSetMathMode(void *h, int mode) { return 0; }
