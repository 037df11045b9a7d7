# A room is one folder of src/: its library, its unit tests, its fuzz targets.
#   sallyport_room(ledger DEPS net core base LIBS OpenSSL::Crypto)
# makes sallyport_ledger from *.cc, ledger_test from *_test.cc, and one fuzz target
# per *_fuzz.cc. DEPS are rooms; LIBS are libraries of the distribution.

set(SALLYPORT_WARNINGS -Wall -Wextra -Wpedantic -Wshadow=local -Wnon-virtual-dtor
    -Woverloaded-virtual -Wimplicit-fallthrough -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(SALLYPORT_WARNINGS -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
      -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror=return-type
      -Werror=unused-result)
endif()

add_library(sallyport_options INTERFACE)
target_compile_options(sallyport_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:${SALLYPORT_WARNINGS}>)
target_include_directories(sallyport_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(sallyport_options INTERFACE Threads::Threads)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(sallyport_options INTERFACE
    "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
  target_link_options(sallyport_options INTERFACE -fuse-ld=lld)
endif()
if(SALLYPORT_SANITIZE)
  target_compile_options(sallyport_options INTERFACE -fsanitize=${SALLYPORT_SANITIZE}
    -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(sallyport_options INTERFACE -fsanitize=${SALLYPORT_SANITIZE})
endif()
if(SALLYPORT_FUZZ)
  target_compile_options(sallyport_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

add_custom_target(unit_tests)

# One precompiled header for all rooms, one for all tests.
file(WRITE ${PROJECT_BINARY_DIR}/pch/empty.cc "")
set(SALLYPORT_PCH <algorithm> <array> <atomic> <chrono> <coroutine> <cstdint> <cstring>
    <expected> <functional> <map> <memory> <mutex> <optional> <span> <string> <string_view>
    <unordered_map> <utility> <variant> <vector> <fmt/format.h>)
add_library(sallyport_pch STATIC ${PROJECT_BINARY_DIR}/pch/empty.cc)
target_link_libraries(sallyport_pch PRIVATE sallyport_options fmt::fmt)
target_precompile_headers(sallyport_pch PRIVATE ${SALLYPORT_PCH})
if(SALLYPORT_TESTS)
  find_package(GTest REQUIRED)
  add_library(sallyport_test_pch STATIC ${PROJECT_BINARY_DIR}/pch/empty.cc)
  target_link_libraries(sallyport_test_pch PRIVATE sallyport_options fmt::fmt GTest::gtest)
  target_precompile_headers(sallyport_test_pch PRIVATE ${SALLYPORT_PCH} <gtest/gtest.h>)
endif()
if(SALLYPORT_BENCH)
  find_package(benchmark REQUIRED)
endif()

function(sallyport_room name)
  cmake_parse_arguments(ROOM "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  set(fuzzers ${sources})
  set(benches ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz)\\.cc$|/main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(TRANSFORM ROOM_DEPS PREPEND sallyport_)

  if(sources)
    add_library(sallyport_${name} STATIC ${sources})
    target_link_libraries(sallyport_${name} PUBLIC sallyport_options fmt::fmt ${ROOM_DEPS} ${ROOM_LIBS})
    target_precompile_headers(sallyport_${name} REUSE_FROM sallyport_pch)
  else()
    add_library(sallyport_${name} INTERFACE)
    target_link_libraries(sallyport_${name} INTERFACE sallyport_options fmt::fmt ${ROOM_DEPS} ${ROOM_LIBS})
  endif()

  if(SALLYPORT_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE sallyport_${name} GTest::gtest GTest::gmock GTest::gtest_main)
    target_precompile_headers(${name}_test REUSE_FROM sallyport_test_pch)
    add_dependencies(unit_tests ${name}_test)
  endif()
  if(SALLYPORT_FUZZ)
    foreach(fuzzer ${fuzzers})
      get_filename_component(target ${fuzzer} NAME_WE)
      add_executable(${target} ${fuzzer})
      target_link_libraries(${target} PRIVATE sallyport_${name})
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    endforeach()
  endif()
  if(SALLYPORT_BENCH AND benches)
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE sallyport_${name} benchmark::benchmark_main)
  endif()
endfunction()
