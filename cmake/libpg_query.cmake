# libpg_query 18, PostgreSQL's own parser: from its WebAssembly (npm libpg-query, pinned by
# third_party/libpg_query/package-lock.json) through wabt's wasm2c to C, and that to an object file
# without sanitizers. Makes the library `libpg_query` with the interface sandbox.h.
#
# Fetching takes seconds and compiling most of a minute, so the object is kept in
# SALLYPORT_CACHE_DIR and shared by all build folders; its name is a hash of all that goes into it.
# The same file, run as a script by the build, does that work under a lock.

if(NOT CMAKE_SCRIPT_MODE_FILE)
  if(DEFINED ENV{XDG_CACHE_HOME})
    set(default_cache "$ENV{XDG_CACHE_HOME}/sallyport")
  else()
    set(default_cache "$ENV{HOME}/.cache/sallyport")
  endif()
  set(SALLYPORT_CACHE_DIR "${default_cache}" CACHE PATH
      "What takes long to make and all build folders share")
  find_program(SALLYPORT_WASM2C wasm2c REQUIRED)
  find_program(SALLYPORT_NPM npm REQUIRED)

  set(pgq_dir ${PROJECT_BINARY_DIR}/libpg_query)
  set(pgq_sandbox ${PROJECT_SOURCE_DIR}/src/protocol/postgres/sql/sandbox)
  set(pgq_lock ${PROJECT_SOURCE_DIR}/third_party/libpg_query/package-lock.json)
  add_custom_command(
    OUTPUT ${pgq_dir}/pgq.o ${pgq_dir}/pgq.h
    COMMAND ${CMAKE_COMMAND} -D CC=${CMAKE_C_COMPILER} -D WASM2C=${SALLYPORT_WASM2C}
            -D NPM=${SALLYPORT_NPM} -D LOCK=${pgq_lock} -D SANDBOX=${pgq_sandbox}
            -D CACHE=${SALLYPORT_CACHE_DIR} -D OUT=${pgq_dir} -P ${CMAKE_CURRENT_LIST_FILE}
    DEPENDS ${pgq_lock} ${pgq_sandbox}/wasm-rt.h ${CMAKE_CURRENT_LIST_FILE}
    COMMENT "PostgreSQL's parser: fetch, translate, compile (about a minute, once)" VERBATIM)

  add_library(libpg_query STATIC ${pgq_sandbox}/sandbox.c ${pgq_dir}/pgq.h ${pgq_dir}/pgq.o)
  set_target_properties(libpg_query PROPERTIES PREFIX "" C_STANDARD 17 C_EXTENSIONS ON)
  target_compile_options(libpg_query PRIVATE -Wall -O2 -D_GNU_SOURCE)
  target_include_directories(libpg_query PRIVATE ${pgq_dir} ${pgq_sandbox}
    INTERFACE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(libpg_query PUBLIC Threads::Threads m)
  return()
endif()

# ---- script: CC WASM2C NPM LOCK SANDBOX CACHE OUT ----

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed: ${command}\n${output}")
  endif()
endfunction()

set(flags -std=gnu17 -O2 -fPIC -fno-strict-aliasing -w)
file(SHA256 ${LOCK} lock_hash)
file(SHA256 ${SANDBOX}/wasm-rt.h runtime_hash)
file(SHA256 ${CMAKE_SCRIPT_MODE_FILE} script_hash)
execute_process(COMMAND ${CC} --version OUTPUT_VARIABLE cc_version)
execute_process(COMMAND ${WASM2C} --version OUTPUT_VARIABLE wasm2c_version)
string(SHA256 key "${lock_hash} ${runtime_hash} ${script_hash} ${cc_version} ${wasm2c_version}")
string(SUBSTRING ${key} 0 16 key)
set(kept ${CACHE}/libpg_query-${key})

file(MAKE_DIRECTORY ${CACHE} ${OUT})
file(LOCK ${CACHE}/libpg_query.lock GUARD PROCESS TIMEOUT 900)

if(NOT EXISTS ${kept}/pgq.o)
  set(work ${CACHE}/libpg_query-${key}.work)
  file(REMOVE_RECURSE ${work})
  file(MAKE_DIRECTORY ${work})
  get_filename_component(lock_dir ${LOCK} DIRECTORY)
  file(COPY ${lock_dir}/package.json ${LOCK} DESTINATION ${work})
  run(${CMAKE_COMMAND} -E chdir ${work} ${NPM} ci --ignore-scripts --no-audit --no-fund)
  run(${WASM2C} -n pgq ${work}/node_modules/libpg-query/wasm/libpg-query.wasm -o ${work}/pgq.c)
  # Every translated function begins with FUNC_PROLOGUE; ours bounds the native stack.
  run(sed -i "s/^#define FUNC_PROLOGUE$/#define FUNC_PROLOGUE SANDBOX_PROLOGUE/" ${work}/pgq.c)
  file(STRINGS ${work}/pgq.c prologue REGEX "^#define FUNC_PROLOGUE SANDBOX_PROLOGUE$")
  if(NOT prologue)
    message(FATAL_ERROR "this wasm2c writes another prologue: the stack would not be bounded")
  endif()
  run(${CC} ${flags} -I ${SANDBOX} -c ${work}/pgq.c -o ${work}/pgq.o)
  file(MAKE_DIRECTORY ${kept})
  file(COPY ${work}/pgq.h ${work}/node_modules/libpg-query/LICENSE DESTINATION ${kept})
  file(RENAME ${work}/pgq.o ${kept}/pgq.o)
  file(REMOVE_RECURSE ${work})
endif()

file(COPY_FILE ${kept}/pgq.h ${OUT}/pgq.h)
file(COPY_FILE ${kept}/pgq.o ${OUT}/pgq.o)
