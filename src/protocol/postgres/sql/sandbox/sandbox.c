#include "sandbox.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "pgq.h"

enum { WASM_PAGE = 65536, SIGNATURE_MAX = 64, SIGNATURE_VALUES_MAX = 24 };
/* A 32-bit address plus a 32-bit offset plus the widest access stay below this. */
static const size_t RESERVED_BYTES = (size_t)8 << 30;
/* The module's own stack lies above its data and grows down towards it: a hole in between turns an
 * overflow into a trap instead of silent damage. */
static const size_t STACK_BYTES = (size_t)32 << 20;
static const size_t HOLE_BYTES = 256 << 10;

/* A setjmp of the module: libpg_query reports syntax errors with longjmp. */
typedef struct Catch {
  jmp_buf buffer;
  struct Catch* outer;
} Catch;

/* The module's host: what its imports get as first argument. */
struct Z_a_instance_t {
  Z_pgq_instance_t* module;
  Catch* innermost;
};

struct Sandbox {
  Z_pgq_instance_t module;
  struct Z_a_instance_t host;
  sigjmp_buf trapped;
  SandboxLimits limits;
  uint32_t pages_max;
  uint32_t text;   /* addresses inside the sandbox, 0: none */
  uint32_t result;
};

__thread char* sandbox_stack_floor __attribute__((tls_model("initial-exec")));
static __thread Sandbox* running;

/* ---- traps ---- */

/* Ours, besides those of WebAssembly. */
enum { TRAP_TIME = 100 };

static const char* trap_text(int trap) {
  switch (trap) {
    case WASM_RT_TRAP_EXHAUSTION: return "nested too deeply";
    case TRAP_TIME: return "it takes too long";
    case WASM_RT_TRAP_UNCAUGHT_EXCEPTION: return "out of memory or aborted";
    default: return "the parser failed";
  }
}

void wasm_rt_trap(wasm_rt_trap_t trap) {
  if (!running) abort();
  siglongjmp(running->trapped, (int)trap);
}

static struct sigaction previous_action;

/* A fault inside the reserved range of the sandbox that runs on this thread is that sandbox's;
 * anything else goes to whoever was there before us. */
static void on_fault(int signal, siginfo_t* info, void* context) {
  if (running && running->module.w2c_z.data) {
    const uint8_t* at = info->si_addr;
    const uint8_t* base = running->module.w2c_z.data;
    if (at >= base && at < base + RESERVED_BYTES) {
      siglongjmp(running->trapped, WASM_RT_TRAP_OOB);
    }
  }
  if (previous_action.sa_flags & SA_SIGINFO) {
    previous_action.sa_sigaction(signal, info, context);
  } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal);
  } else {
    /* Returning runs the faulting instruction again, now without us. */
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigaction(SIGSEGV, &plain, NULL);
  }
}

/* Everything the parser was doing lies in the sandbox, which is thrown away: leaving from inside a
 * signal loses nothing. */
static void on_timeout(int signal) {
  (void)signal;
  if (running) siglongjmp(running->trapped, TRAP_TIME);
}

static bool start_timer(const Sandbox* sandbox, timer_t* timer) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGVTALRM};
  event._sigev_un._tid = gettid();
  if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, timer) != 0) return false;
  const unsigned ms = sandbox->limits.cpu_ms_max;
  struct itimerspec when = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}};
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGVTALRM);
  if (pthread_sigmask(SIG_UNBLOCK, &wanted, NULL) == 0 &&
      timer_settime(*timer, 0, &when, NULL) == 0) {
    return true;
  }
  timer_delete(*timer);
  return false;
}

/* ---- what the generated code asks of its runtime ---- */

typedef struct {
  uint32_t params;
  uint32_t results;
  wasm_rt_type_t values[SIGNATURE_VALUES_MAX];
} Signature;

static Signature signatures[SIGNATURE_MAX];
static uint32_t signature_count;
static bool initialized;

bool wasm_rt_is_initialized(void) { return initialized; }

uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...) {
  Signature wanted = {.params = params, .results = results};
  if (params + results > SIGNATURE_VALUES_MAX) abort();
  va_list values;
  va_start(values, results);
  for (uint32_t i = 0; i < params + results; ++i) wanted.values[i] = va_arg(values, wasm_rt_type_t);
  va_end(values);
  for (uint32_t i = 0; i < signature_count; ++i) {
    if (!memcmp(&signatures[i], &wanted, sizeof wanted)) return i + 1;
  }
  if (signature_count == SIGNATURE_MAX) abort();
  signatures[signature_count] = wanted;
  return ++signature_count;
}

void wasm_rt_allocate_memory(wasm_rt_memory_t* memory, uint32_t pages, uint32_t max_pages) {
  *memory = (wasm_rt_memory_t){.pages = pages, .max_pages = max_pages, .size = pages * WASM_PAGE};
  void* range = mmap(NULL, RESERVED_BYTES, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) wasm_rt_trap(WASM_RT_TRAP_UNCAUGHT_EXCEPTION);
  memory->data = range;
  if (mprotect(range, memory->size, PROT_READ | PROT_WRITE) != 0) {
    wasm_rt_trap(WASM_RT_TRAP_UNCAUGHT_EXCEPTION);
  }
}

void wasm_rt_free_memory(wasm_rt_memory_t* memory) {
  if (memory->data) munmap(memory->data, RESERVED_BYTES);
  memory->data = NULL;
}

void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t* table, uint32_t size, uint32_t max) {
  *table = (wasm_rt_funcref_table_t){.size = size, .max_size = max};
  table->data = calloc(size, sizeof(wasm_rt_funcref_t));
  if (!table->data) {
    table->size = 0;
    wasm_rt_trap(WASM_RT_TRAP_UNCAUGHT_EXCEPTION);
  }
}

void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t* table) {
  free(table->data);
  table->data = NULL;
}

static bool grow_memory(Sandbox* sandbox, uint32_t bytes) {
  wasm_rt_memory_t* memory = &sandbox->module.w2c_z;
  const uint64_t pages = ((uint64_t)bytes + WASM_PAGE - 1) / WASM_PAGE;
  if (pages > memory->max_pages || pages > sandbox->pages_max) return false;
  if (pages <= memory->pages) return true;
  const size_t more = (size_t)(pages - memory->pages) * WASM_PAGE;
  if (mprotect(memory->data + memory->size, more, PROT_READ | PROT_WRITE) != 0) return false;
  memory->pages = (uint32_t)pages;
  memory->size = (uint32_t)(pages * WASM_PAGE);
  return true;
}

/* ---- the module's imports, in the order of emscripten's table ---- */

typedef struct Z_a_instance_t Host;

static wasm_rt_funcref_t* entry(Host* host, u32 index, uint32_t type) {
  wasm_rt_funcref_table_t* table = &host->module->w2c_D;
  if (index >= table->size || !table->data[index].func || table->data[index].func_type != type) {
    wasm_rt_trap(WASM_RT_TRAP_CALL_INDIRECT);
  }
  return &table->data[index];
}

/* invoke_*: calls through the table and turns a longjmp of the module into "threw". The C frames in
 * between hold nothing that would need cleaning up. */
#define INVOKE(type, call)                      \
  const wasm_rt_funcref_t* f = entry(host, index, type); \
  const u32 stack = Z_pgqZ_R(host->module);     \
  Catch here;                                   \
  here.outer = host->innermost;                 \
  host->innermost = &here;                      \
  if (!_setjmp(here.buffer)) {                  \
    call;                                       \
  } else {                                      \
    Z_pgqZ_Q(host->module, stack);              \
    Z_pgqZ_P(host->module, 1, 0);               \
  }                                             \
  host->innermost = here.outer;

#define I WASM_RT_I32
#define V(...) ((void (*)(void*, ##__VA_ARGS__))f->func)
#define R(...) ((u32(*)(void*, ##__VA_ARGS__))f->func)
#define M f->module_instance

/* Registered once, in sandbox_once. */
static struct {
  uint32_t v, vi, vii, viii, viiii, viiiii, vi13, i, ii, iii, iiii, iiiii, ji;
} types;

static void register_types(void) {
  types.v = wasm_rt_register_func_type(0, 0);
  types.vi = wasm_rt_register_func_type(1, 0, I);
  types.vii = wasm_rt_register_func_type(2, 0, I, I);
  types.viii = wasm_rt_register_func_type(3, 0, I, I, I);
  types.viiii = wasm_rt_register_func_type(4, 0, I, I, I, I);
  types.viiiii = wasm_rt_register_func_type(5, 0, I, I, I, I, I);
  types.vi13 = wasm_rt_register_func_type(13, 0, I, I, I, I, I, I, I, I, I, I, I, I, I);
  types.i = wasm_rt_register_func_type(0, 1, I);
  types.ii = wasm_rt_register_func_type(1, 1, I, I);
  types.iii = wasm_rt_register_func_type(2, 1, I, I, I);
  types.iiii = wasm_rt_register_func_type(3, 1, I, I, I, I);
  types.iiiii = wasm_rt_register_func_type(4, 1, I, I, I, I, I);
  types.ji = wasm_rt_register_func_type(1, 1, I, WASM_RT_I64);
}

void Z_aZ_e(Host* host, u32 index) { INVOKE(types.v, V()(M)) }
void Z_aZ_f(Host* host, u32 index, u32 a) { INVOKE(types.vi, V(u32)(M, a)) }
void Z_aZ_h(Host* host, u32 index, u32 a, u32 b) { INVOKE(types.vii, V(u32, u32)(M, a, b)) }
void Z_aZ_j(Host* host, u32 index, u32 a, u32 b, u32 c) {
  INVOKE(types.viii, V(u32, u32, u32)(M, a, b, c))
}
void Z_aZ_i(Host* host, u32 index, u32 a, u32 b, u32 c, u32 d) {
  INVOKE(types.viiii, V(u32, u32, u32, u32)(M, a, b, c, d))
}
void Z_aZ_y(Host* host, u32 index, u32 a, u32 b, u32 c, u32 d, u32 e) {
  INVOKE(types.viiiii, V(u32, u32, u32, u32, u32)(M, a, b, c, d, e))
}
void Z_aZ_n(Host* host, u32 index, u32 a, u32 b, u32 c, u32 d, u32 e, u32 g, u32 h, u32 i, u32 j,
            u32 k, u32 l, u32 m, u32 n) {
  INVOKE(types.vi13, V(u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32)(
                         M, a, b, c, d, e, g, h, i, j, k, l, m, n))
}
u32 Z_aZ_g(Host* host, u32 index) {
  volatile u32 r = 0;
  INVOKE(types.i, r = R()(M))
  return r;
}
u32 Z_aZ_b(Host* host, u32 index, u32 a) {
  volatile u32 r = 0;
  INVOKE(types.ii, r = R(u32)(M, a))
  return r;
}
u32 Z_aZ_a(Host* host, u32 index, u32 a, u32 b) {
  volatile u32 r = 0;
  INVOKE(types.iii, r = R(u32, u32)(M, a, b))
  return r;
}
u32 Z_aZ_d(Host* host, u32 index, u32 a, u32 b, u32 c) {
  volatile u32 r = 0;
  INVOKE(types.iiii, r = R(u32, u32, u32)(M, a, b, c))
  return r;
}
u32 Z_aZ_k(Host* host, u32 index, u32 a, u32 b, u32 c, u32 d) {
  volatile u32 r = 0;
  INVOKE(types.iiiii, r = R(u32, u32, u32, u32)(M, a, b, c, d))
  return r;
}
u64 Z_aZ_l(Host* host, u32 index, u32 a) {
  volatile u64 r = 0;
  INVOKE(types.ji, r = ((u64(*)(void*, u32))f->func)(M, a))
  return r;
}

/* emscripten_throw_longjmp */
void Z_aZ_p(Host* host) {
  if (!host->innermost) wasm_rt_trap(WASM_RT_TRAP_UNCAUGHT_EXCEPTION);
  _longjmp(host->innermost->buffer, 1);
}
/* emscripten_resize_heap */
u32 Z_aZ_q(Host* host, u32 bytes) { (void)host; return grow_memory(running, bytes); }

/* The world outside is not there: no files, no timers, no exit. 8 is EBADF. */
u32 Z_aZ_r(Host* h, u32 a, u32 b, u32 c, u32 d) { (void)h, (void)a, (void)b, (void)c, (void)d; return 8; }
u32 Z_aZ_s(Host* h, u32 a, u64 b, u32 c, u32 d) { (void)h, (void)a, (void)b, (void)c, (void)d; return 8; }
u32 Z_aZ_t(Host* h, u32 a, u32 b, u32 c, u32 d) { (void)h, (void)a, (void)b, (void)c, (void)d; return 8; }
u32 Z_aZ_u(Host* h, u32 a) { (void)h, (void)a; return 8; }
u32 Z_aZ_o(Host* h, u32 a, f64 b) { (void)h, (void)a, (void)b; return 0; }
void Z_aZ_w(Host* h) { (void)h; }
/* assert, exit, proc_exit, abort */
void Z_aZ_c(Host* h, u32 a, u32 b, u32 c, u32 d) {
  (void)h, (void)a, (void)b, (void)c, (void)d;
  wasm_rt_trap(WASM_RT_TRAP_UNREACHABLE);
}
void Z_aZ_m(Host* h, u32 a) { (void)h, (void)a; wasm_rt_trap(WASM_RT_TRAP_UNREACHABLE); }
void Z_aZ_v(Host* h, u32 a) { (void)h, (void)a; wasm_rt_trap(WASM_RT_TRAP_UNREACHABLE); }
void Z_aZ_x(Host* h) { (void)h; wasm_rt_trap(WASM_RT_TRAP_UNCAUGHT_EXCEPTION); }

/* ---- reading what the module left in its memory, without trusting it ---- */

static bool load(const Sandbox* sandbox, uint32_t at, uint32_t* value) {
  const wasm_rt_memory_t* memory = &sandbox->module.w2c_z;
  if (at == 0 || at > memory->size - 4) return false;
  memcpy(value, memory->data + at, 4);
  return true;
}

static bool load_text(const Sandbox* sandbox, uint32_t at, SandboxResult* result) {
  const wasm_rt_memory_t* memory = &sandbox->module.w2c_z;
  if (at == 0 || at >= memory->size) return false;
  result->text = (const char*)memory->data + at;
  result->length = strnlen(result->text, memory->size - at);
  return result->length < memory->size - at;
}

/* PgQueryParseResult: tree, stderr, error; PgQueryError: message, funcname, filename, line,
 * cursor position, context. */
static bool read_result(Sandbox* sandbox, SandboxResult* result) {
  uint32_t tree = 0, error = 0, message = 0;
  if (!load(sandbox, sandbox->result, &tree) || !load(sandbox, sandbox->result + 8, &error)) {
    return false;
  }
  if (!error) {
    result->outcome = SANDBOX_TREE;
    return load_text(sandbox, tree, result);
  }
  result->outcome = SANDBOX_REJECTED;
  return load(sandbox, error, &message) && load(sandbox, error + 16, &result->position) &&
         load_text(sandbox, message, result);
}

/* ---- running it ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void sandbox_once(void) {
  initialized = true;
  Z_pgq_init_module();
  register_types();
  /* SA_NODEFER: the handler leaves by siglongjmp and no mask is saved. */
  struct sigaction action = {.sa_sigaction = on_fault,
                             .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGSEGV, &action, &previous_action) != 0) abort();
  struct sigaction timeout = {.sa_handler = on_timeout, .sa_flags = SA_NODEFER | SA_RESTART};
  sigemptyset(&timeout.sa_mask);
  if (sigaction(SIGVTALRM, &timeout, NULL) != 0) abort();
}

static void enter(Sandbox* sandbox) {
  running = sandbox;
  sandbox->host.innermost = NULL;
  sandbox_stack_floor = (char*)__builtin_frame_address(0) - sandbox->limits.stack_bytes_max;
}

static void leave(void) { running = NULL; }

/* Between the module's data and its stack, whose top is where its stack pointer begins. */
static bool make_hole(Sandbox* sandbox) {
  const size_t page = 4096;
  const size_t top = sandbox->module.w2c_g0;
  if (top <= STACK_BYTES) return false;
  const size_t hole = (top - STACK_BYTES + page - 1) / page * page;
  return mprotect(sandbox->module.w2c_z.data + hole, HOLE_BYTES, PROT_NONE) == 0;
}

Sandbox* sandbox_make(const SandboxLimits* limits) {
  pthread_once(&once, sandbox_once);
  Sandbox* sandbox = calloc(1, sizeof(Sandbox));
  if (!sandbox) return NULL;
  sandbox->host.module = &sandbox->module;
  sandbox->limits = *limits;
  const size_t pages = limits->memory_bytes_max / WASM_PAGE;
  sandbox->pages_max = pages < 32768 ? (uint32_t)pages : 32768;
  enter(sandbox);
  bool good = false;
  if (sigsetjmp(sandbox->trapped, 0) == 0) {
    Z_pgq_instantiate(&sandbox->module, &sandbox->host);
    Z_pgqZ_A(&sandbox->module);
    good = make_hole(sandbox);
  }
  leave();
  if (good) return sandbox;
  sandbox_free(sandbox);
  return NULL;
}

void sandbox_free(Sandbox* sandbox) {
  if (!sandbox) return;
  Z_pgq_free(&sandbox->module);
  free(sandbox);
}

static SandboxResult trapped(int trap) {
  const char* text = trap_text(trap);
  return (SandboxResult){.outcome = SANDBOX_TRAPPED, .text = text, .length = strlen(text)};
}

static SandboxResult parse(Sandbox* sandbox, const char* sql, size_t length) {
  enter(sandbox);
  const int trap = sigsetjmp(sandbox->trapped, 0);
  if (trap != 0) {
    leave();
    return trapped(trap);
  }
  const wasm_rt_memory_t* memory = &sandbox->module.w2c_z;
  sandbox->text = Z_pgqZ_C(&sandbox->module, (u32)length + 1);
  if (!sandbox->text) wasm_rt_trap(WASM_RT_TRAP_UNCAUGHT_EXCEPTION);
  if ((size_t)sandbox->text + length + 1 > memory->size) wasm_rt_trap(WASM_RT_TRAP_OOB);
  memcpy(memory->data + sandbox->text, sql, length);
  memory->data[sandbox->text + length] = 0;
  sandbox->result = Z_pgqZ_F(&sandbox->module, sandbox->text);
  SandboxResult result = {0};
  if (!read_result(sandbox, &result)) wasm_rt_trap(WASM_RT_TRAP_UNCAUGHT_EXCEPTION);
  leave();
  return result;
}

SandboxResult sandbox_parse(Sandbox* sandbox, const char* sql, size_t length) {
  if (length >= UINT32_MAX - 1) return trapped(WASM_RT_TRAP_OOB);
  if (length < sandbox->limits.timed_bytes_min) return parse(sandbox, sql, length);
  timer_t timer;
  if (!start_timer(sandbox, &timer)) return trapped(TRAP_TIME);
  const SandboxResult result = parse(sandbox, sql, length);
  timer_delete(timer);
  return result;
}

int sandbox_release(Sandbox* sandbox) {
  enter(sandbox);
  int good = 0;
  if (sigsetjmp(sandbox->trapped, 0) == 0) {
    if (sandbox->result) Z_pgqZ_G(&sandbox->module, sandbox->result);
    if (sandbox->text) Z_pgqZ_E(&sandbox->module, sandbox->text);
    good = 1;
  }
  sandbox->result = sandbox->text = 0;
  leave();
  return good;
}

size_t sandbox_memory_bytes(const Sandbox* sandbox) { return sandbox->module.w2c_z.size; }
