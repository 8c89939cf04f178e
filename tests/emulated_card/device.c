/* A pretended NVIDIA card for CuPy: its memory is the host's, its kernels are C++ functions.

   Two sets of functions. The driver's (cu...) are looked up by CuPy in libcuda.so.1, which this
   library is. The runtime's (cuda...) are compiled into CuPy; card.py leads each of them to the
   function of the same name with `card_` before it. Every call returns 0, success, or CUDA's own
   error code. What is not here fails in CuPy with an error, never silently. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_FOUND = 500 };

/* What is counted. The order is that of COUNTS in card.py. */
static struct {
    long launches, products, to_device, to_host, on_device, memsets, synchronisations, mallocs;
} count;
static int running = 1;  /* 0: launches and products are counted, but not computed */

long *card_counts(void) { return (long *)&count; }
void card_run(int on) { running = on; }
int card_product(void) { count.products++; return running; }

/* Memory. Every allocation is filled with NaN, as float and as double, so that what no kernel has
   written shows; and followed by a fence, so that what is written beyond its end shows too. */

enum { FENCE = 512 };
struct block { void *at; size_t size; struct block *next; };
static struct block *blocks;
static size_t total_memory = 8ul << 30, used_memory;

static void fence_must_be_whole(struct block *b)
{
    for (size_t k = 0; k < FENCE; k++)
        if (((unsigned char *)b->at)[b->size + k] != 0xFF) {
            fprintf(stderr, "emulated card: byte %zu beyond an array of %zu bytes was written\n",
                    k, b->size);
            abort();
        }
}

static int allocate(void **p, size_t size)
{
    if (used_memory + size > total_memory) return OUT_OF_MEMORY;
    struct block *b = malloc(sizeof *b);
    b->at = aligned_alloc(512, (size + FENCE + 511) / 512 * 512);
    if (!b->at) { free(b); return OUT_OF_MEMORY; }
    memset(b->at, 0xFF, size + FENCE);
    b->size = size; b->next = blocks; blocks = b;
    used_memory += size;
    count.mallocs++;
    *p = b->at;
    return 0;
}

static int release(void *p)
{
    for (struct block **b = &blocks; *b; b = &(*b)->next)
        if ((*b)->at == p) {
            struct block *gone = *b;
            fence_must_be_whole(gone);
            used_memory -= gone->size;
            *b = gone->next;
            free(gone->at); free(gone);
            return 0;
        }
    return p ? INVALID_VALUE : 0;
}

int card_cudaMalloc(void **p, size_t size) { return allocate(p, size); }
int card_cudaMallocAsync(void **p, size_t size, void *stream) { return allocate(p, size); }
int card_cudaFree(void *p) { return release(p); }
int card_cudaFreeAsync(void *p, void *stream) { return release(p); }
int card_cudaHostAlloc(void **p, size_t size, unsigned flags) { *p = malloc(size); return 0; }
int card_cudaMallocHost(void **p, size_t size) { *p = malloc(size); return 0; }
int card_cudaFreeHost(void *p) { free(p); return 0; }
void card_set_memory(size_t size) { total_memory = used_memory + size; }
int card_cudaMemGetInfo(size_t *unused, size_t *all)
{
    *all = total_memory; *unused = total_memory - used_memory;
    return 0;
}

static int copy(void *to, const void *from, size_t size, int kind)
{
    if (kind == 1) count.to_device++;
    if (kind == 2) count.to_host++;
    if (kind == 3) count.on_device++;
    memmove(to, from, size);
    return 0;
}
int card_cudaMemcpy(void *to, const void *from, size_t size, int kind)
{
    if (kind == 2) count.synchronisations++;  /* the host waits for its bytes */
    return copy(to, from, size, kind);
}
int card_cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream)
{
    return copy(to, from, size, kind);
}
int card_cudaMemset(void *p, int value, size_t size)
{
    count.memsets++;
    memset(p, value, size);
    return 0;
}
int card_cudaMemsetAsync(void *p, int value, size_t size, void *stream)
{
    return card_cudaMemset(p, value, size);
}
struct pointer_attributes { int type, device; void *on_device, *on_host; };
int card_cudaPointerGetAttributes(struct pointer_attributes *a, void *p)
{
    *a = (struct pointer_attributes){2, 0, p, 0};  /* memory of device 0 */
    return 0;
}

/* Kernels: functions of a library that compiler.py has made. Threads run one after the other; those
   of a block that meets at __syncthreads() are fibres, each run up to its next meeting. */

struct { unsigned x, y, z; } threadIdx, blockIdx, blockDim, gridDim;
struct kernel { void (*call)(void **); int meets; char name[256]; long launches; };
enum { MOST_THREADS = 1024, STACK = 1 << 16, MOST_KERNELS = 4096 };
static struct kernel *kernels[MOST_KERNELS];
static int number_of_kernels;
static ucontext_t scheduler, fibres[MOST_THREADS];
static char *stacks[MOST_THREADS];
static int finished[MOST_THREADS], current, in_fibre;
static struct kernel *running_kernel;
static void **running_arguments;

static void fibre(void)
{
    running_kernel->call(running_arguments);
    finished[current] = 1;
    swapcontext(&fibres[current], &scheduler);
}

void card_syncthreads(void)
{
    if (in_fibre) swapcontext(&fibres[current], &scheduler);
}

static void set_thread(int k)
{
    threadIdx.x = k % blockDim.x;
    threadIdx.y = k / blockDim.x % blockDim.y;
    threadIdx.z = k / blockDim.x / blockDim.y;
}

static void run_block(struct kernel *kernel, void **arguments, int threads)
{
    if (!kernel->meets) {
        for (int k = 0; k < threads; k++) { set_thread(k); kernel->call(arguments); }
        return;
    }
    running_kernel = kernel; running_arguments = arguments; in_fibre = 1;
    for (int k = 0; k < threads; k++) {
        if (!stacks[k]) stacks[k] = malloc(STACK);
        finished[k] = 0;
        getcontext(&fibres[k]);
        fibres[k].uc_stack.ss_sp = stacks[k];
        fibres[k].uc_stack.ss_size = STACK;
        fibres[k].uc_link = &scheduler;
        makecontext(&fibres[k], fibre, 0);
    }
    for (int left = threads; left;)
        for (int k = 0; k < threads; k++)
            if (!finished[k]) {
                current = k; set_thread(k);
                swapcontext(&scheduler, &fibres[k]);
                left -= finished[k];
            }
    in_fibre = 0;
}

int cuModuleLoadData(void **module, const char *library)
{
    *module = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!*module) fprintf(stderr, "emulated card: %s\n", dlerror());
    return *module ? 0 : NOT_FOUND;
}
int cuModuleUnload(void *module) { return 0; }
int cuModuleGetFunction(void **function, void *module, const char *name)
{
    char symbol[300];
    struct kernel *kernel = calloc(1, sizeof *kernel);
    snprintf(symbol, sizeof symbol, "%s_call", name);
    kernel->call = (void (*)(void **))dlsym(module, symbol);
    snprintf(symbol, sizeof symbol, "%s_meets", name);
    int *meets = dlsym(module, symbol);
    if (!kernel->call || !meets || number_of_kernels == MOST_KERNELS) return NOT_FOUND;
    kernel->meets = *meets;
    snprintf(kernel->name, sizeof kernel->name, "%s", name);
    kernels[number_of_kernels++] = kernel;
    *function = kernel;
    return 0;
}
int cuLaunchKernel(struct kernel *kernel, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                   unsigned by, unsigned bz, unsigned shared, void *stream, void **arguments,
                   void **extra)
{
    unsigned long threads = (unsigned long)bx * by * bz;
    if (!gx || !gy || !gz || !threads || threads > MOST_THREADS || gx > 2147483647u || gy > 65535
        || gz > 65535)
        return INVALID_VALUE;
    count.launches++;
    kernel->launches++;
    if (!running) return 0;
    gridDim.x = gx; gridDim.y = gy; gridDim.z = gz;
    blockDim.x = bx; blockDim.y = by; blockDim.z = bz;
    for (blockIdx.z = 0; blockIdx.z < gz; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < gy; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < gx; blockIdx.x++)
                run_block(kernel, arguments, threads);
    return 0;
}
int card_number_of_kernels(void) { return number_of_kernels; }
const char *card_kernel_name(int k) { return kernels[k]->name; }
long card_kernel_launches(int k) { return kernels[k]->launches; }
void card_reset(void)
{
    memset(&count, 0, sizeof count);
    for (int k = 0; k < number_of_kernels; k++) kernels[k]->launches = 0;
    for (struct block *b = blocks; b; b = b->next) fence_must_be_whole(b);
}
int cuFuncGetAttribute(int *value, int attribute, void *function) { *value = MOST_THREADS; return 0; }
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks_, void *f, int threads, size_t shared)
{
    *blocks_ = 8;
    return 0;
}
int cuOccupancyMaxPotentialBlockSize(int *grid, int *block, void *f, void *g, size_t s, int limit)
{
    *grid = 132; *block = 512;
    return 0;
}

/* What the card says of itself: an H100's numbers, where somebody asks. */

int card_cudaGetDeviceCount(int *n) { *n = 1; return 0; }
int card_cudaGetDevice(int *device) { *device = 0; return 0; }
int card_cudaSetDevice(int device) { return device ? 101 : 0; }
int card_cudaDriverGetVersion(int *version) { *version = 13000; return 0; }
int card_cudaRuntimeGetVersion(int *version) { *version = 13000; return 0; }
int card_cudaGetDeviceProperties(char *properties, int device)
{
    memset(properties, 0, 700);  /* all of the structure that CuPy reads, in every version */
    strcpy(properties, "emulated card");
    return 0;
}
int card_cudaDeviceGetAttribute(int *value, int attribute, int device)
{
    static const int known[][2] = {  /* https://docs.nvidia.com/cuda/cuda-runtime-api */
        {1, MOST_THREADS}, {2, 1024}, {3, 1024}, {4, 64}, {5, 2147483647}, {6, 65535}, {7, 65535},
        {8, 49152}, {10, 32}, {16, 132}, {39, 2048}, {41, 1}, {75, 9}, {76, 0}, {97, 232448},
        {115, 1},
    };
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (known[k][0] == attribute) { *value = known[k][1]; return 0; }
    *value = 0;
    return 0;
}

/* Streams and events: there is one order of things, and all is done at once. */

static int wait(void) { count.synchronisations++; return 0; }
static int handle(void **p) { *p = malloc(1); return 0; }
int card_cudaDeviceSynchronize(void) { return wait(); }
int card_cudaStreamSynchronize(void *stream) { return wait(); }
int card_cudaEventSynchronize(void *event) { return wait(); }
int card_cudaStreamCreate(void **p) { return handle(p); }
int card_cudaStreamCreateWithFlags(void **p, unsigned flags) { return handle(p); }
int card_cudaStreamCreateWithPriority(void **p, unsigned flags, int priority) { return handle(p); }
int card_cudaStreamDestroy(void *p) { return 0; }
int card_cudaStreamQuery(void *p) { return 0; }
int card_cudaStreamWaitEvent(void *p, void *event, unsigned flags) { return 0; }
int card_cudaStreamIsCapturing(void *p, int *status) { *status = 0; return 0; }
int card_cudaEventCreate(void **p) { return handle(p); }
int card_cudaEventCreateWithFlags(void **p, unsigned flags) { return handle(p); }
int card_cudaEventDestroy(void *p) { return 0; }
int card_cudaEventRecord(void *p, void *stream) { return 0; }
int card_cudaEventQuery(void *p) { return 0; }
int card_cudaEventElapsedTime(float *ms, void *from, void *to) { *ms = 1; return 0; }
int card_cudaDeviceGetDefaultMemPool(void **p, int device) { return handle(p); }
int card_cudaDeviceGetMemPool(void **p, int device) { return handle(p); }
int card_cudaDeviceSetMemPool(int device, void *p) { return 0; }
int card_cudaMemPoolTrimTo(void *p, size_t size) { return 0; }
int card_cudaGetLastError(void) { return 0; }

int cuGetErrorName(int error, const char **name) { *name = "CUDA_ERROR_EMULATED"; return 0; }
int cuGetErrorString(int error, const char **text) { *text = "the emulated card says no"; return 0; }
int cuCtxGetCurrent(void **context) { *context = (void *)1; return 0; }
int cuCtxSetCurrent(void *context) { return 0; }
int cuCtxGetDevice(int *device) { *device = 0; return 0; }
