#pragma once
/* The runtime that code written by wabt's wasm2c 1.0.32 expects, as far as libpg_query needs it:
 * one memory checked by guard pages, one table of functions, traps that end the call. Written for
 * this one module; sandbox.c implements it. The names are wasm2c's. */

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define wasm_rt_memcpy __builtin_memcpy

/* Loads and stores are not checked one by one: 8 GiB of address space around each memory can
 * neither be read nor written, and no 32-bit address with a 32-bit offset reaches past it. */
#define WASM_RT_MEMCHECK_SIGNAL_HANDLER 1
/* Depth is bounded by the native stack in bytes, not by counting calls: every function begins with
 * SANDBOX_PROLOGUE (cmake/libpg_query.cmake puts it there). */
#define WASM_RT_USE_STACK_DEPTH_COUNT 0
#define SANDBOX_PROLOGUE \
  if (UNLIKELY((char*)__builtin_frame_address(0) < sandbox_stack_floor)) TRAP(EXHAUSTION);

extern __thread char* sandbox_stack_floor __attribute__((tls_model("initial-exec")));

typedef enum {
  WASM_RT_TRAP_NONE,
  WASM_RT_TRAP_OOB,
  WASM_RT_TRAP_INT_OVERFLOW,
  WASM_RT_TRAP_DIV_BY_ZERO,
  WASM_RT_TRAP_INVALID_CONVERSION,
  WASM_RT_TRAP_UNREACHABLE,
  WASM_RT_TRAP_CALL_INDIRECT,
  WASM_RT_TRAP_UNCAUGHT_EXCEPTION,
  WASM_RT_TRAP_EXHAUSTION,
} wasm_rt_trap_t;

typedef enum {
  WASM_RT_I32,
  WASM_RT_I64,
  WASM_RT_F32,
  WASM_RT_F64,
  WASM_RT_FUNCREF,
  WASM_RT_EXTERNREF,
} wasm_rt_type_t;

typedef void (*wasm_rt_function_ptr_t)(void);

typedef struct {
  uint32_t func_type;
  wasm_rt_function_ptr_t func;
  void* module_instance;
} wasm_rt_funcref_t;

typedef void* wasm_rt_externref_t;

static const wasm_rt_funcref_t wasm_rt_funcref_null_value = {0, NULL, NULL};
static const wasm_rt_externref_t wasm_rt_externref_null_value = NULL;

typedef struct {
  uint8_t* data;
  uint32_t pages;
  uint32_t max_pages;
  uint32_t size;
} wasm_rt_memory_t;

typedef struct {
  wasm_rt_funcref_t* data;
  uint32_t max_size;
  uint32_t size;
} wasm_rt_funcref_table_t;

typedef struct {
  wasm_rt_externref_t* data;
  uint32_t max_size;
  uint32_t size;
} wasm_rt_externref_table_t;

bool wasm_rt_is_initialized(void);
uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...);
__attribute__((noreturn)) void wasm_rt_trap(wasm_rt_trap_t trap);
void wasm_rt_allocate_memory(wasm_rt_memory_t* memory, uint32_t pages, uint32_t max_pages);
void wasm_rt_free_memory(wasm_rt_memory_t* memory);
void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t* table, uint32_t size, uint32_t max);
void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t* table);
