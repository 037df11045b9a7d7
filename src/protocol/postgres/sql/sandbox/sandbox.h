#pragma once
/* libpg_query in its WebAssembly sandbox, as C. One sandbox belongs to one thread at a time.
 * Compiled without sanitizers: it unwinds with longjmp and faults on purpose. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Sandbox Sandbox;

typedef enum {
  SANDBOX_TREE,     /* text is the tree as JSON */
  SANDBOX_REJECTED, /* text is PostgreSQL's message, position where */
  SANDBOX_TRAPPED,  /* text is the reason, static; the sandbox must be freed */
} SandboxOutcome;

typedef struct {
  SandboxOutcome outcome;
  const char* text; /* inside the sandbox, until sandbox_release */
  size_t length;
  uint32_t position;
} SandboxResult;

typedef struct {
  size_t memory_bytes_max;
  size_t stack_bytes_max;
  /* A text longer than timed_bytes_min may take this much of the thread's CPU time. Shorter ones
   * cannot take long, and are spared the timer. The signal is SIGVTALRM. */
  unsigned cpu_ms_max;
  size_t timed_bytes_min;
} SandboxLimits;

/* NULL when the address space or memory cannot be had. */
Sandbox* sandbox_make(const SandboxLimits* limits);
void sandbox_free(Sandbox* sandbox);
/* `sql` has no NUL byte. */
SandboxResult sandbox_parse(Sandbox* sandbox, const char* sql, size_t length);
/* Gives the memory of the last result back. False: it trapped, the sandbox must be freed. */
int sandbox_release(Sandbox* sandbox);
size_t sandbox_memory_bytes(const Sandbox* sandbox);

#ifdef __cplusplus
}
#endif
